-- The canonical request of Signature Version 4, written into memory that is reused. The same as auth/canonical.py.
--
-- Everything after the path (query, headers, names, payload line) is written once into one buffer; the method and the path, which may be read in up to
-- three ways, into another. What is written here stays until the next request. Pages: IAM User Guide, "Create a signed AWS API request".

local ffi = require("ffi")
local bit = require("bit")
local byte_at, find = string.byte, string.find
local cast, copy = ffi.cast, ffi.copy
local band, bnot = bit.band, bit.bnot

local M = {}

local PERCENT, AMPERSAND, EQUALS, COMMA, NEWLINE, SPACE, TAB = 37, 38, 61, 44, 10, 32, 9
local SLASH, BACKSLASH, DOT, RETURN, DELETE = 47, 92, 46, 13, 127
local ALGORITHM, SIGNATURE, LETTER_X = "X-Amz-Algorithm", "X-Amz-Signature", 88
local SLACK = 64
local MOST_PARAMETERS = 1000

-- By byte: whether it is unreserved; its value as a hexadecimal digit, or 255; the two digits that encode it. By the digits of an escape: its
-- character.
local unreserved = ffi.new("uint8_t[256]")
local hex_value = ffi.new("uint8_t[256]", 255) -- one initializer fills them all
local high_digit, low_digit = ffi.new("uint8_t[256]"), ffi.new("uint8_t[256]")
local from_digits = {}
for value = 0, 255 do
  local character = string.char(value)
  unreserved[value] = character:find("^[A-Za-z0-9._~-]$") and 1 or 0
  if character:find("^[0-9A-Fa-f]$") then
    hex_value[value] = tonumber(character, 16)
  end
  local digits = string.format("%02X", value)
  high_digit[value], low_digit[value] = digits:byte(1, 2)
  local low = digits:lower()
  from_digits[digits], from_digits[low] = character, character
  from_digits[digits:sub(1, 1) .. low:sub(2)], from_digits[low:sub(1, 1) .. digits:sub(2)] = character, character
end

-- A path is plain when all its canonical forms are the path itself: absolute, unreserved bytes and slashes, no empty segment but the last, none that
-- is `.` or `..`. Read by a machine of five states: in a segment, at its start, after its dot, after its two dots, not plain.
local IN, START, ONE_DOT, TWO_DOTS, NOT_PLAIN = 0, 256, 512, 768, 1024
local plain_step = ffi.new("uint16_t[1280]")
for value = 0, 255 do
  local inside = unreserved[value] == 1
  for _, state in ipairs({ IN, START, ONE_DOT, TWO_DOTS, NOT_PLAIN }) do
    plain_step[state + value] = (inside and state ~= NOT_PLAIN) and IN or NOT_PLAIN
  end
end
plain_step[IN + SLASH] = START
plain_step[START + DOT], plain_step[ONE_DOT + DOT] = ONE_DOT, TWO_DOTS

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

-- A text with its whole percent escapes decoded.
function M.decoded(text)
  return (text:gsub("%%(%x%x)", from_digits))
end

-- Percent-encode what is neither unreserved nor a slash.
local function encoded_path(path)
  local length, at = #path, 0
  reserve_head(3 * length)
  local source, text = cast("const uint8_t *", path), head_text
  for index = 0, length - 1 do
    local value = source[index]
    if unreserved[value] == 1 or value == SLASH then
      text[at] = value
      at = at + 1
    else
      text[at], text[at + 1], text[at + 2] = PERCENT, high_digit[value], low_digit[value]
      at = at + 3
    end
  end
  return ffi.string(text, at)
end

local function is_plain(path, length)
  if length == 0 or byte_at(path, 1) ~= SLASH then
    return false
  end
  local bytes, state = cast("const uint8_t *", path), START
  for index = 1, length - 1 do
    state = plain_step[state + bytes[index]]
  end
  return state <= START
end

-- Whether no reader would take the path for another one: whole percent escapes, no segment of one or two dots however it is written, nothing that cannot be
-- on the wire.
local function is_unambiguous(path, length)
  local source, index = cast("const uint8_t *", path), 0
  local dots, others = 0, false -- of the segment so far
  while index <= length do
    local value = index < length and source[index] or SLASH
    if value <= SPACE or value == DELETE then
      return false
    elseif value == PERCENT then
      -- a string ends with a NUL, which is no digit
      local high = hex_value[source[index + 1]]
      if index + 2 >= length or high > 15 or hex_value[source[index + 2]] > 15 then
        return false
      end
      value = 16 * high + hex_value[source[index + 2]]
      index = index + 2
    end
    if value == SLASH or value == BACKSLASH then
      if not others and (dots == 1 or dots == 2) then
        return false
      end
      dots, others = 0, false
    elseif value == DOT then
      dots = dots + 1
    else
      others = true
    end
    index = index + 1
  end
  return true
end

-- Look at a request's target. Returns the length of the path in it, and: true when it is plain, false when it has several canonical forms, nil when it
-- must be refused.
function M.read_target(target)
  local mark = find(target, "?", 1, true)
  local length = mark and mark - 1 or #target
  if is_plain(target, length) then
    return length, true
  end
  if is_unambiguous(target, length) then
    return length, false
  end
  return length, nil
end

-- A path without `.` and `..` segments, and without empty ones but the last.
local function normalised(path)
  if not find("/" .. path, "/.", 1, true) then
    return (("/" .. path):gsub("//+", "/"))
  end
  local kept, count, last = {}, 0, ""
  for segment in (path .. "/"):gmatch("([^/]*)/") do
    if segment == ".." then
      kept[count], count = nil, math.max(count - 1, 0)
    elseif segment ~= "" and segment ~= "." then
      count = count + 1
      kept[count] = segment
    end
    last = segment
  end
  local ends_open = count > 0 and (last == "" or last == "." or last == "..")
  return "/" .. table.concat(kept, "/") .. (ends_open and "/" or "")
end

-- The path as AWS's signers write it for every service but S3: normalised, then encoded once more.
function M.generic_path(path)
  return encoded_path(normalised(path))
end

-- The path as S3 signers and curl write it.
function M.wire_path(path)
  return path == "" and "/" or path
end

-- The path as curl 8 writes it.
function M.encoded_wire_path(path)
  return encoded_path(path == "" and "/" or path)
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
