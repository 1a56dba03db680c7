-- one value: part ÷ whole, 0 to 1, with 6 decimals; the exact quotient is rounded half to even
create macro internal.share(part, whole) as
  if(
    whole = 0,
    0,
    part::hugeint * 1000000 // whole
    + case
        when 2 * (part::hugeint * 1000000 % whole) > whole then 1
        when 2 * (part::hugeint * 1000000 % whole) = whole then part::hugeint * 1000000 // whole % 2
        else 0
      end
  )::double / 1000000;
