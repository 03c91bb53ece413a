-- The path of a canonical request: whether a request's path can be read in one way only, and the forms in which signers write it.
-- Pages: IAM User Guide, "Create a signed AWS API request"; RFC 3986, section 5.2.4.

local ffi = require("ffi")
local octets = require("latticewall.octets")
local byte_at, find = string.byte, string.find
local cast = ffi.cast
local unreserved, hex_value, high_digit, low_digit = octets.unreserved, octets.hex_value, octets.high_digit, octets.low_digit

local M = {}

local PERCENT, SPACE, SLASH, BACKSLASH, DOT, DELETE = 37, 32, 47, 92, 46, 127

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

local room = 16384
local store = ffi.new("uint8_t[?]", room)
local written = cast("uint8_t *", store)

-- Make sure that so many bytes can be written; what was written before is lost.
local function reserve(bytes)
  if bytes > room then
    room = bytes * 2
    store = ffi.new("uint8_t[?]", room)
    written = cast("uint8_t *", store)
  end
end

-- Percent-encode what is neither unreserved nor a slash.
local function encoded_path(path)
  local length, at = #path, 0
  reserve(3 * length)
  local source, text = cast("const uint8_t *", path), written
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

return M
