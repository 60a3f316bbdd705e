-- MRR on some 120 days.
select day, closing
from day
where day between $first and $last
    and ($last::date - day) % $step = 0
order by day;
