-- What is one unit of p_from worth in p_to? Rule R13. NULL where one of them is; error
-- MR005 where a rate is missing.
--
-- Called cheap, so that the plan of kpi.mrr_at that serves every call does not look dearer
-- than one made for a call without a currency: planning each time took ten times as long.
create or replace function kpi.conversion(p_from text, p_to text)
returns numeric
language plpgsql
stable
parallel safe
strict
cost 1
set search_path = pg_catalog, pg_temp
as $$
declare
    v_factor numeric;
    v_missing text;
begin
    if upper(p_from) = upper(p_to) then
        return 1::numeric;
    end if;

    select wanted.per_euro / given.per_euro
    into v_factor
    from kpi.exchange_rate wanted
    cross join kpi.exchange_rate given
    where wanted.currency = upper(p_to)
        and given.currency = upper(p_from);

    if v_factor is null then
        select string_agg(needed.currency, ', ' order by needed.currency)
        into v_missing
        from (values (upper(p_from)), (upper(p_to))) needed (currency)
        where needed.currency not in (select e.currency from kpi.exchange_rate e);

        raise exception using
            errcode = 'MR005',
            message = format('no exchange rate for %s', v_missing),
            hint = 'See the rates with pgmrr fx, and set one, in units for one euro, with pgmrr fx --set CUR=RATE.';
    end if;

    return v_factor;
end;
$$;

comment on function kpi.conversion(text, text) is
    'R13: units of p_to for one unit of p_from. Error MR005 where a rate is missing.';
revoke all on function kpi.conversion(text, text) from public;
grant execute on function kpi.conversion(text, text) to pgmrr_reader, pgmrr_writer;
