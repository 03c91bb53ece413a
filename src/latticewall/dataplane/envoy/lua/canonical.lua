-- The canonical request of Signature Version 4, written into memory that is reused. The same as auth/canonical.py. Its path: canonical_path.lua.
--
-- Everything after the path (query, headers, names, payload line) is written once into one buffer; the method and the path, which may be read in up to
-- three ways, into another. What is written here stays until the next request. Pages: IAM User Guide, "Create a signed AWS API request".

local ffi = require("ffi")
local bit = require("bit")
local octets = require("latticewall.octets")
local cast, copy = ffi.cast, ffi.copy
local band, bnot = bit.band, bit.bnot
local unreserved, hex_value, high_digit, low_digit = octets.unreserved, octets.hex_value, octets.high_digit, octets.low_digit

local M = {}

local PERCENT, AMPERSAND, EQUALS, COMMA, NEWLINE, RETURN, SPACE, TAB = 37, 38, 61, 44, 10, 13, 32, 9
local ALGORITHM, SIGNATURE, LETTER_X = "X-Amz-Algorithm", "X-Amz-Signature", 88
local SLACK = 64
local MOST_PARAMETERS = 1000

local room, head_room = 65536, 16384
local rest_store, head_store = ffi.new("uint8_t[?]", room), ffi.new("uint8_t[?]", head_room)
local rest, head_text = cast("uint8_t *", rest_store), cast("uint8_t *", head_store)
local pair_starts = ffi.new("int32_t[?]", MOST_PARAMETERS + 2)

-- Make sure that so many bytes can be written; what was written before is lost.
local function reserve(bytes)
  if bytes > room then
    room = bytes * 2
    rest_store = ffi.new("uint8_t[?]", room)
    rest = cast("uint8_t *", rest_store)
  end
end

local function reserve_head(bytes)
  if bytes > head_room then
    head_room = bytes * 2
    head_store = ffi.new("uint8_t[?]", head_room)
    head_text = cast("uint8_t *", head_store)
  end
end

-- Write the lines of method and path, the first bytes of a text. Returns the memory and the length written.
function M.write_head(method, path, path_length)
  local length = #method + path_length + 2
  reserve_head(length)
  copy(head_text, method, #method)
  head_text[#method] = NEWLINE
  copy(head_text + #method + 1, path, path_length)
  head_text[length - 1] = NEWLINE
  return head_text, length
end

-- Whether of two written pairs the second sorts before the first: by name, then by value. A name ends at the only `=` of its pair.
local function out_of_order(one, one_end, other, other_end)
  local text = rest
  while true do
    if one == one_end then
      return false
    elseif other == other_end then
      return true
    end
    local left, right = text[one], text[other]
    if left ~= right then
      return left ~= EQUALS and (right == EQUALS or right < left)
    end
    one, other = one + 1, other + 1
  end
end

-- Merge sort from the bottom up: no list takes more than n log n steps.
local function sort(list, count)
  local from, to, width = list, {}, 1
  while width < count do
    for start = 1, count, 2 * width do
      local left, left_end = start, math.min(start + width, count + 1)
      local right, right_end = left_end, math.min(start + 2 * width, count + 1)
      for place = start, right_end - 1 do
        if left < left_end and (right >= right_end or from[left] <= from[right]) then
          to[place], left = from[left], left + 1
        else
          to[place], right = from[right], right + 1
        end
      end
    end
    from, to, width = to, from, 2 * width
  end
  return from
end

-- Put written pairs in order. NUL, which no written pair contains, makes a name end before every other character.
local function sort_pairs(count, length)
  local list = {}
  pair_starts[count + 1] = length + 1
  for index = 1, count do
    local start = pair_starts[index]
    list[index] = ffi.string(rest + start, pair_starts[index + 1] - 1 - start):gsub("=", "\0", 1)
  end
  local text = table.concat(sort(list, count), "&", 1, count):gsub("%z", "=")
  copy(rest, text, #text)
end

-- Write what `source` holds from `from` up to `to` or an `&`, decoded and encoded anew, with an `=` in any case. Returns where it ends in both.
local function write_pair(source, from, to, at)
  local text, equals = rest, false
  while from < to do
    local value = source[from]
    if value == AMPERSAND then
      break
    end
    from = from + 1
    if value == EQUALS and not equals then
      equals = true
      text[at] = EQUALS
      at = at + 1
    else
      if value == PERCENT and from + 1 < to and hex_value[source[from]] < 16 and hex_value[source[from + 1]] < 16 then
        value = 16 * hex_value[source[from]] + hex_value[source[from + 1]]
        from = from + 2
      end
      if unreserved[value] == 1 then
        text[at] = value
        at = at + 1
      else
        text[at], text[at + 1], text[at + 2] = PERCENT, high_digit[value], low_digit[value]
        at = at + 3
      end
    end
  end
  if not equals then
    text[at] = EQUALS
    at = at + 1
  end
  return from, at
end

local function is_name(start, finish, name)
  return finish - start > #name and rest[start] == LETTER_X and rest[start + #name] == EQUALS and ffi.string(rest + start, #name) == name
end

-- Write the canonical query of a target, without the signature: the first thing to be written of a request. bytes: the most that all the rest will
-- need. Returns the length written, nil when there are too many parameters; and whether one of them is X-Amz-Algorithm.
function M.write_query(target, path_length, bytes)
  local length = #target
  reserve(bytes + 3 * (length - path_length) + SLACK)
  local source, from = cast("const uint8_t *", target), path_length + 1
  local at, count, sorted, signs = 0, 0, true, false
  while from < length do
    if source[from] == AMPERSAND then
      from = from + 1
    else
      local start = at > 0 and at + 1 or 0
      local finish
      from, finish = write_pair(source, from, length, start)
      if not is_name(start, finish, SIGNATURE) then
        signs = signs or is_name(start, finish, ALGORITHM)
        count = count + 1
        if count <= MOST_PARAMETERS then
          if at > 0 then
            rest[at] = AMPERSAND
            sorted = sorted and not out_of_order(pair_starts[count - 1], at, start, finish)
          end
          pair_starts[count], at = start, finish
        end
      end
    end
  end
  if count > MOST_PARAMETERS then
    return nil, signs
  elseif not sorted then
    sort_pairs(count, at)
  end
  return at, signs
end

-- Whether no byte is below 33 (then there is nothing to trim, to collapse or to refuse). Eight bytes at a time: overwrites the eight after the end.
local ONES, HIGHS, COLONS = 0x2121212121212121ULL, 0x8080808080808080ULL, 0x3a3a3a3a3a3a3a3aULL
local function is_clean(start, length)
  local text = rest + start
  cast("uint64_t *", text + length)[0] = COLONS
  local words = cast("const uint64_t *", text)
  for index = 0, (length - 1) / 8 do
    local word = words[index]
    if band(word - ONES, bnot(word), HIGHS) ~= 0 then
      return false
    end
  end
  return true
end

-- Trim spaces and tabs, make one space of each run of white space. Returns where the value now ends, nil when it holds what no header may.
local function collapse(start, finish)
  local text = rest
  while finish > start and (text[finish - 1] == SPACE or text[finish - 1] == TAB) do
    finish = finish - 1
  end
  local from = start
  while from < finish and (text[from] == SPACE or text[from] == TAB) do
    from = from + 1
  end
  local at, in_run = start, false
  while from < finish do
    local value = text[from]
    if value == 0 or value == NEWLINE or value == RETURN then
      return nil
    end
    local white = value == SPACE or (value >= TAB and value <= 12)
    if not (white and in_run) then
      text[at] = white and SPACE or value
      at = at + 1
    end
    in_run, from = white, from + 1
  end
  return at
end

local function write_value(value, at)
  local length = #value
  if length == 0 then
    return at
  end
  copy(rest + at, value, length)
  if is_clean(at, length) then
    return at + length
  end
  return collapse(at, at + length)
end

-- All values of a header that came more than once, with commas between them, in the order of arrival.
local function write_values(head, name, at)
  local written = false
  for index = 1, head.n do
    if head.names[index] == name then
      if written then
        rest[at] = COMMA
        at = at + 1
      end
      at, written = write_value(head.values[index], at), true
      if at == nil then
        return nil
      end
    end
  end
  return at
end

-- Write, after the query, the signed headers and what follows them. names: an array; labels: the same with a colon each; tail: the lines of names and
-- payload. Every name must be a header of the request. Returns the memory and the length written, nil when a value holds what no header may.
function M.write_rest(head, at, names, labels, tail)
  local by, count = head.by, head.count
  rest[at] = NEWLINE
  at = at + 1
  for index = 1, #names do
    local name, label = names[index], labels[index]
    copy(rest + at, label, #label)
    at = at + #label
    local value = by[name]
    if value == nil then
      name = name == "host" and ":authority" or "host"
      value = by[name]
    end
    if count[name] > 1 then
      at = write_values(head, name, at)
    else
      at = write_value(value, at)
    end
    if at == nil then
      return nil, 0
    end
    rest[at] = NEWLINE
    at = at + 1
  end
  copy(rest + at, tail, #tail)
  return rest, at + #tail
end

return M
