-- What MRR does each recurring invoice stand for? Rules R6 and R7.
--
-- A row is a row of `p_periods` (`period`, or a table of some of its rows), with its MRR
-- in cents, rounded half away from zero; credits are not yet limited.
create or replace temp macro priced(p_periods) as table
select
    p.* exclude (months, ends_at, may_restart, may_swap),
    coalesce(e.ends_at, p.ends_at) as ends_at,
    coalesce(e.billed_until, p.ends_at) as billed_until,
    coalesce(e.is_settled, false) as is_settled,
    coalesce(e.amount, p.net) as amount,
    case when e.row is null then p.months else e.months end as months,
    coalesce(e.basis, 'term'::charge_basis) as basis,
    case when e.row is null then rounded_quotient(p.net, p.months) else e.mrr end as mrr
from query_table(p_periods) p
left join exception e
    on e.row = p.row;
