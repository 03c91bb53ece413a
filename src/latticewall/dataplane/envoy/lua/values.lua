-- What condition operators read out of a request's text: numbers, dates, booleans and base64. The same as policy/operators.py.
--
-- The policy's side arrives already read. A text may be nil or false (a key without a value, or without exactly one); a text that cannot be read never
-- matches. Nothing here raises, and nothing is longer at work than it takes to look at the text once.

local byte, floor, lower = string.byte, math.floor, string.lower

local M = {}

local ZERO, NINE, PLUS, MINUS, POINT, COLON = 48, 57, 43, 45, 46, 58
local MOST_DIGITS = 64

-- The position after the digits that begin at i.
local function past_digits(text, i)
  local digit = byte(text, i)
  while digit and digit >= ZERO and digit <= NINE do
    i = i + 1
    digit = byte(text, i)
  end
  return i
end

local function order(one, other)
  return one < other and -1 or one > other and 1 or 0
end

-- How text[first..last] and the other digits compare, as far as the shorter goes.
local function order_of_digits(text, first, last, other)
  local count = last - first + 1
  for k = 1, count < #other and count or #other do
    local own, wanted = byte(text, first + k - 1), byte(other, k)
    if own ~= wanted then
      return own < wanted and -1 or 1
    end
  end
  return 0
end

-- How the number in the text compares with the policy's: -1, 0, 1, or nil if the text is no number. The policy's as sign, digits before the point without
-- leading zeros, digits after it without trailing zeros; never a double, so every digit counts.
function M.number(text, negative, whole, fraction)
  if not text then
    return nil
  end
  local sign = byte(text, 1)
  local first = (sign == PLUS or sign == MINUS) and 2 or 1
  local stop = past_digits(text, first)
  if stop == first or stop - first > MOST_DIGITS then
    return nil
  end
  local last, part, part_last = stop - 1, stop, stop - 1
  if stop <= #text then
    part = stop + 1
    part_last = past_digits(text, part) - 1
    if byte(text, stop) ~= POINT or part_last < part or part_last - part >= MOST_DIGITS or part_last < #text then
      return nil
    end
  end
  while first <= last and byte(text, first) == ZERO do
    first = first + 1
  end
  while part_last >= part and byte(text, part_last) == ZERO do
    part_last = part_last - 1
  end
  local below = sign == MINUS and (first <= last or part <= part_last)
  if below ~= negative then
    return below and -1 or 1
  end
  local result = order(last - first + 1, #whole)
  if result == 0 then
    result = order_of_digits(text, first, last, whole)
  end
  if result == 0 then
    result = order_of_digits(text, part, part_last, fraction)
  end
  if result == 0 then
    result = order(part_last - part + 1, #fraction)
  end
  return below and -result or result
end

-- The number written with exactly `count` digits at i, nil if they are not all digits.
local function digits(text, i, count)
  local value = 0
  for k = i, i + count - 1 do
    local digit = byte(text, k)
    if not digit or digit < ZERO or digit > NINE then
      return nil
    end
    value = value * 10 + digit - ZERO
  end
  return value
end

local BEFORE_MONTH = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 }
local LENGTH = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }
local DAYS_BEFORE_1970 = 719162
local BILLION = 1000000000

local function is_leap(year)
  return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
end

-- Days since 1970-01-01, nil if there is no such day.
local function days(year, month, day)
  if not (year and month and day) or year < 1 or month < 1 or month > 12 or day < 1 then
    return nil
  end
  local leap = is_leap(year)
  if day > LENGTH[month] + ((month == 2 and leap) and 1 or 0) then
    return nil
  end
  local before = year - 1
  local past = before * 365 + floor(before / 4) - floor(before / 100) + floor(before / 400)
  return past + BEFORE_MONTH[month] + ((month > 2 and leap) and 1 or 0) + day - 1 - DAYS_BEFORE_1970
end

-- Microseconds of the digits at i (one to nine; those beyond six do not count), and the position after them.
local function fraction(text, i)
  local stop = past_digits(text, i)
  if stop == i or stop - i > 9 then
    return nil, i
  end
  local kept = stop - i < 6 and stop - i or 6
  local value = digits(text, i, kept)
  for _ = kept + 1, 6 do
    value = value * 10
  end
  return value, stop
end

-- Seconds east of UTC of what ends the text from i on: Z, +hh:mm, +hhmm; nil if it is none of these. Nothing is UTC.
local function offset(text, i)
  local length, sign = #text - i + 1, byte(text, i)
  if length == 0 or (length == 1 and sign == 90) then
    return 0
  end
  if sign ~= PLUS and sign ~= MINUS then
    return nil
  end
  local minutes_at = i + 3
  if byte(text, minutes_at) == COLON then
    minutes_at = minutes_at + 1
  end
  local hours, minutes = digits(text, i + 1, 2), digits(text, minutes_at, 2)
  if not hours or not minutes or #text ~= minutes_at + 1 then
    return nil
  end
  local seconds = hours * 3600 + minutes * 60
  if seconds >= 86400 then
    return nil
  end
  return sign == MINUS and -seconds or seconds
end

-- Thh:mm[:ss[.f]] and the offset, from position 11 on: seconds of the day in UTC and microseconds; nil if it is none.
local function time_of_day(text)
  local hour, minute = digits(text, 12, 2), digits(text, 15, 2)
  if byte(text, 11) ~= 84 or not hour or not minute or byte(text, 14) ~= COLON or hour > 23 or minute > 59 then
    return nil, 0
  end
  local second, micros, i = 0, 0, 17
  if byte(text, 17) == COLON then
    second, i = digits(text, 18, 2), 20
    if not second or second > 59 then
      return nil, 0
    end
    if byte(text, 20) == POINT then
      micros, i = fraction(text, 21)
    end
  end
  local east = offset(text, i)
  if not micros or not east then
    return nil, 0
  end
  return hour * 3600 + minute * 60 + second - east, micros
end

-- A W3C ISO 8601 date: seconds since 1970 and microseconds; nil if the text is none.
local function calendar(text)
  local length = #text
  local year, month, day = digits(text, 1, 4), 1, 1
  if length > 4 then
    month = byte(text, 5) == MINUS and digits(text, 6, 2)
  end
  if length > 7 then
    day = byte(text, 8) == MINUS and digits(text, 9, 2)
  end
  local past = (length == 4 or length == 7 or length >= 10) and days(year, month, day)
  if not past then
    return nil, 0
  end
  if length <= 10 then
    return past * 86400, 0
  end
  local seconds, micros = time_of_day(text)
  return seconds and past * 86400 + seconds, micros
end

-- Seconds since 1970 as written (5 to 18 digits): billions of them and the rest; nil if the text is none.
local function epoch(text)
  local first = byte(text, 1) == MINUS and 2 or 1
  local count = #text - first + 1
  if count < 5 or count > 18 or past_digits(text, first) <= #text then
    return nil, 0
  end
  local short = count < 9 and count or 9
  local billions, rest = digits(text, first, count - short), digits(text, #text - short + 1, short)
  if first == 1 or (billions == 0 and rest == 0) then
    return billions, rest
  end
  if rest == 0 then
    return -billions, 0
  end
  return -billions - 1, BILLION - rest
end

local last_date, date_billions, date_rest, date_micros

-- How the date in the text compares with the policy's: -1, 0, 1, or nil if the text is no date. Seconds as billions and rest: 18 digits are more than a
-- double holds.
function M.date(text, billions, rest, micros)
  if not text then
    return nil
  end
  if text ~= last_date then
    local own, own_rest, own_micros = nil, 0, 0
    own, own_rest = epoch(text)
    if not own then
      local seconds
      seconds, own_micros = calendar(text)
      if seconds then
        own = floor(seconds / BILLION)
        own_rest = seconds - own * BILLION
      end
    end
    last_date, date_billions, date_rest, date_micros = text, own, own_rest, own_micros
  end
  if not date_billions then
    return nil
  end
  if date_billions ~= billions then
    return date_billions < billions and -1 or 1
  end
  if date_rest ~= rest then
    return date_rest < rest and -1 or 1
  end
  return order(date_micros, micros)
end

-- true or false in any case, else nil.
function M.bool(text)
  if not text or (#text ~= 4 and #text ~= 5) then
    return nil
  end
  local word = lower(text)
  if word == "true" then
    return true
  end
  if word == "false" then
    return false
  end
  return nil
end

-- The text with A to Z in lower case; nothing else changes.
function M.lower(text)
  return text and lower(text)
end

local SEXTET = {}
for index = 1, 64 do
  SEXTET[byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", index)] = index - 1
end
local PAD = 61

-- Whether the text is base64 of the same bytes as `wanted`, which is base64 without padding. Bits after the last byte do not count.
function M.binary(text, wanted)
  if not text then
    return false
  end
  local count = #wanted
  local padding = count % 4 == 2 and 2 or count % 4 == 3 and 1 or 0
  if #text ~= count + padding then
    return false
  end
  for k = count + 1, #text do
    if byte(text, k) ~= PAD then
      return false
    end
  end
  local whole = padding == 0 and count or count - 1
  for k = 1, whole do
    if byte(text, k) ~= byte(wanted, k) then
      return false
    end
  end
  if padding == 0 then
    return true
  end
  local own, unit = SEXTET[byte(text, count)], padding == 2 and 16 or 4
  return own ~= nil and floor(own / unit) == floor(SEXTET[byte(wanted, count)] / unit)
end

return M
