-- IPv4 and IPv6 addresses as the operators IpAddress and NotIpAddress read them: the same as policy/operators.py, an address with a zone is none.
--
-- The policy's side arrives as a block already read. A text may be nil or false; a text that is no address is in no block. Nothing here raises.

local byte, floor = string.byte, math.floor

local M = {}

local ZERO, NINE, POINT, COLON = 48, 57, 46, 58

-- The number of at most three digits at i, and the position after it; nil if there is none, or with a leading zero.
local function octet(text, i)
  local value, first = 0, i
  local digit = byte(text, i)
  while digit and digit >= ZERO and digit <= NINE and i - first < 4 do
    value = value * 10 + digit - ZERO
    i = i + 1
    digit = byte(text, i)
  end
  if i == first or value > 255 or (i - first > 1 and byte(text, first) == ZERO) then
    return nil, i
  end
  return value, i
end

-- Four numbers with points between them from i to the end: 32 bits; nil if it is no IPv4 address (leading zeros are refused).
local function ipv4(text, i)
  local value = 0
  for part = 1, 4 do
    local own, stop = octet(text, i)
    if not own or (part < 4 and byte(text, stop) ~= POINT) then
      return nil
    end
    value, i = value * 256 + own, stop + 1
  end
  return i == #text + 2 and value or nil
end

local function hexadecimal(digit)
  if digit >= ZERO and digit <= NINE then
    return digit - ZERO
  end
  local letter = digit >= 97 and digit - 32 or digit
  return (letter >= 65 and letter <= 70) and letter - 55 or nil
end

local groups = { 0, 0, 0, 0, 0, 0, 0, 0 }

-- The group of one to four hexadecimal digits at i, and the position after it; nil if there is none.
local function group(text, i)
  local value, first = 0, i
  local digit = byte(text, i)
  local own = digit and hexadecimal(digit)
  while own do
    value = value * 16 + own
    i = i + 1
    digit = byte(text, i)
    own = digit and hexadecimal(digit)
  end
  return (i > first and i - first <= 4) and value or nil, i
end

-- Puts zeros for the gap after so many of `count` groups; whether there are then eight.
local function fill(count, gap)
  if not gap or count > 7 then
    return count == 8 and not gap
  end
  local zeros = 8 - count
  for k = count, gap + 1, -1 do
    groups[k + zeros] = groups[k]
  end
  for k = gap + 1, gap + zeros do
    groups[k] = 0
  end
  return true
end

-- Fills `groups` with the groups that begin at i, up to the end of the text, after a gap (`::`) if there already was one; whether that is an address.
local function read_groups(text, i, gap)
  local n, count = #text, 0
  while i <= n do
    local value, stop = group(text, i)
    if byte(text, stop) == POINT then
      local tail = count <= 6 and ipv4(text, i)
      if not tail then
        return false
      end
      groups[count + 1], groups[count + 2] = floor(tail / 65536), tail % 65536
      return fill(count + 2, gap)
    end
    if not value or count >= 8 then
      return false
    end
    count = count + 1
    groups[count] = value
    if stop > n then
      break
    end
    i = stop + 1
    local again = byte(text, i) == COLON
    if byte(text, stop) ~= COLON or (again and gap) or (not again and i > n) then
      return false
    end
    if again then
      gap, i = count, i + 1
    end
  end
  return fill(count, gap)
end

-- Fills `groups` with an IPv6 address; false if the text is none, as one with a zone (`%eth0`) is none.
local function ipv6(text)
  if byte(text, 1) ~= COLON then
    return read_groups(text, 1, nil)
  end
  return byte(text, 2) == COLON and read_groups(text, 3, 0)
end

local last_ipv4, number_ipv4
local last_ipv6, is_ipv6

-- Whether the text is an IPv4 address of the block from first to last.
function M.ipv4(text, first, last)
  if not text then
    return false
  end
  if text ~= last_ipv4 then
    last_ipv4, number_ipv4 = text, ipv4(text, 1)
  end
  return number_ipv4 ~= nil and number_ipv4 >= first and number_ipv4 <= last
end

-- Whether the text is an IPv6 address of the block: groups as one string of 16 bytes, length of the prefix in bits.
function M.ipv6(text, block, length)
  if not text then
    return false
  end
  if text ~= last_ipv6 then
    last_ipv6, is_ipv6 = text, ipv6(text)
  end
  if not is_ipv6 then
    return false
  end
  for k = 1, 8 do
    local bits = length - (k - 1) * 16
    if bits <= 0 then
      return true
    end
    local unit = bits >= 16 and 1 or 2 ^ (16 - bits)
    local wanted = byte(block, 2 * k - 1) * 256 + byte(block, 2 * k)
    if floor(groups[k] / unit) ~= floor(wanted / unit) then
      return false
    end
  end
  return true
end

return M
