-- Arithmetic of the rules, in integers throughout: durations in microseconds, money in
-- cents, and where a rule divides, in billionths of a cent.

-- The day of a UTC time in the reporting time zone.
create or replace temp macro day_of(moment) as
    case
        when getvariable('time_zone') = 'UTC' then moment::date
        else (moment at time zone 'UTC' at time zone getvariable('time_zone'))::date
    end;

-- From one time to another.
create or replace temp macro microseconds(moment, later) as epoch_us(later) - epoch_us(moment);

create or replace temp macro hours(number) as number * 3_600_000_000;

-- R5: how many whole months is [moment, later)? NULL where it is not a whole number of
-- them. 2,629,800 seconds are 30.4375 days.
create or replace temp macro nearest_months(moment, later) as
    ((microseconds(moment, later) + 1_314_900_000_000) // 2_629_800_000_000)::integer;

-- Months are counted back only where counting them forward misses.
create or replace temp macro whole_months(moment, later) as
    case
        when nearest_months(moment, later) < 1 then null
        when abs(microseconds(moment + to_months(nearest_months(moment, later)), later)) <= hours(2)
            then nearest_months(moment, later)
        when abs(microseconds(moment, later - to_months(nearest_months(moment, later)))) <= hours(2)
            then nearest_months(moment, later)
    end;

-- A quotient as an integer, halves rounded away from zero; the divisor is positive.
create or replace temp macro rounded_quotient(dividend, divisor) as
    sign(dividend) * ((2 * abs(dividend) + divisor) // (2 * divisor));

-- Cents from billionths of a cent, rounded at the sixth decimal first: what R7 adds up
-- are fractions cut at the ninth, and half a cent must stay half a cent.
create or replace temp macro cents(billionths) as
    rounded_quotient(rounded_quotient(billionths, 1000), 1_000_000)::bigint;

-- R7: what of a charge's amount pays for the time from a moment on, in billionths of a cent.
create or replace temp macro unused(charge, moment) as
    charge.amount * microseconds(moment, charge.billed_until) // microseconds(charge.starts_at, charge.billed_until);
