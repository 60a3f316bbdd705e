drop table ledger.true_mrr_cents;
