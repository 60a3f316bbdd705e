-- What moved MRR in the days of a page.
select
    sum(preexisting) as preexisting, sum(new) as new, sum(reactivation) as reactivation, sum(expansion) as expansion,
    sum(contraction) as contraction, sum(churn) as churn, sum(rounding) as rounding
from day
where day between $first and $last;
