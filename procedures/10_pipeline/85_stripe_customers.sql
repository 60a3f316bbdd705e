-- The current customers as Stripe's dashboard exports them, the latest first; and, where
-- it is asked for, their names in one more column.
--
-- One row a customer whom a customer file listed; those known from invoices alone are in
-- no customer file either. Where there never was such a file, they are all that is known:
-- then each is a row with its id, since a file without rows is none that can be imported. Payment count and spend are over the customer's whole life,
-- whatever part of the invoices is exported.
create or replace function pipeline.stripe_customers()
returns table (
    "id" text,
    "Created (UTC)" text,
    "Total Spend" text,
    "Payment Count" integer,
    "Tax Location Recognized" text,
    "Name" text
)
language sql
stable
parallel safe
begin atomic
    select
        c.customer_id,
        pipeline.stripe_time(c.created_at),
        pipeline.stripe_amount(c.total_spend),
        c.payment_count,
        coalesce(c.attributes ->> 'Tax Location Recognized', 'FALSE'),
        pipeline.stripe_text(c.name)
    from raw.customer c
    where c.superseded_by is null
        and (
            c.is_listed
            or not exists (
                select
                from raw.customer l
                where l.superseded_by is null
                    and l.is_listed
            )
        )
    order by c.created_at desc, c.line_number, c.customer_id desc;
end;

comment on function pipeline.stripe_customers() is
    'The current customers in the form of a Stripe export, one row a listed customer, or, where none is listed, a customer known from invoices; the name is one column more than Stripe''s.';
revoke all on function pipeline.stripe_customers() from public;
grant execute on function pipeline.stripe_customers() to pgmrr_writer;
