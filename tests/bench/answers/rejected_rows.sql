-- Which rows could not be read? Left out: what the reasons mean, in words.
select reason, count(*) as rows
from rejected
group by reason
order by rows desc, reason;
