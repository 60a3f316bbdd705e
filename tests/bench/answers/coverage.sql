-- What the data can say. Left out: the same in words.
select
    is_truncated, first_invoice_on, observed_from, complete_through, covered_days, shortest_months as shortest_term_months,
    longest_term_months, mrr_complete_from, churn_observable_from, hidden_annual_mrr,
    (select min(r.reporting_currency) from rate r) as currency
from known;
