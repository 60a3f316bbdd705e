-- Credits that found nothing to take away, by currency.
select currency, count(*) as credits, sum(unmatched) * 0.01 as unmatched
from charge
where unmatched > 0
group by currency
order by currency;
