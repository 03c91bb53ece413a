-- Wildcard patterns on bytes: `*` is any run of characters, `?` one character. The same as policy/pattern.py, which works on characters.
--
-- Texts are bytes that are usually UTF-8. A character is a well-formed UTF-8 sequence, or else a single byte (what Python's surrogateescape makes of it).
-- Literals of policies are well-formed, so they can only be found where characters begin and end. Where characters are counted, or a variable
-- brings in what may be ill-formed, texts are made `canonical` first. No function raises, whatever the texts. Each takes time linear in the text as
-- long as nobody provokes more, and at worst text times pattern by 32 (`covers`).

local bit = require("bit")
local ffi = require("ffi")

local byte, char, find, gsub, sub = string.byte, string.char, string.find, string.gsub, string.sub
local concat, floor = table.concat, math.floor
local band, bor, lshift, rshift = bit.band, bit.bor, bit.lshift, bit.rshift
local C, cast = ffi.C, ffi.cast

ffi.cdef("int memcmp(const void *one, const void *other, size_t length);")

local bytes_of = ffi.typeof("const char *")

local M = {}

-- The bytes that stand for wildcards in a pattern, and the one that takes the meaning from the byte after it.
local ANY, ONE, LITERAL = 1, 2, 3
-- How often `glob` may look at a byte, on average, before `covers` takes over.
local PATIENCE = 8
local MARKS = "[\1\2\3]"

-- How many bytes the character that begins at position i has; 0 if the byte there belongs to no well-formed character.
local function well_formed(text, i)
  local lead = byte(text, i)
  if lead < 0x80 then
    return 1
  end
  if lead < 0xC2 or lead > 0xF4 then
    return 0
  end
  local second, low, high = byte(text, i + 1) or 0, 0x80, 0xBF
  if lead == 0xE0 then
    low = 0xA0
  elseif lead == 0xED then
    high = 0x9F
  elseif lead == 0xF0 then
    low = 0x90
  elseif lead == 0xF4 then
    high = 0x8F
  end
  if second < low or second > high then
    return 0
  end
  if lead < 0xE0 then
    return 2
  end
  local third = byte(text, i + 2) or 0
  if third < 0x80 or third > 0xBF then
    return 0
  end
  if lead < 0xF0 then
    return 3
  end
  local fourth = byte(text, i + 3) or 0
  return (fourth >= 0x80 and fourth <= 0xBF) and 4 or 0
end

local function rewritten(text, i)
  local pieces, count, n = { sub(text, 1, i - 1) }, 1, #text
  while i <= n do
    local length, own = well_formed(text, i), byte(text, i)
    count = count + 1
    pieces[count] = length > 0 and sub(text, i, i + length - 1) or char(own < 0xC0 and 0xFE or 0xFF, 0x80 + own % 0x40)
    i = i + (length > 0 and length or 1)
  end
  return concat(pieces)
end

local last_text, last_canonical

-- The text with each byte that belongs to no character made into a character of its own (a leading byte that UTF-8 does not know and a following byte):
-- characters can be counted by their first byte, and no piece of a text is found in the middle of one. Well-formed text stays as it is.
local function canonical(text)
  if not text or text == last_text then
    return text and last_canonical
  end
  local i, n = 1, #text
  while i <= n do
    local length = byte(text, i) < 0x80 and 1 or well_formed(text, i)
    if length == 0 then
      break
    end
    i = i + length
  end
  last_text, last_canonical = text, i > n and text or rewritten(text, i)
  return last_canonical
end
M.canonical = canonical

-- How many bytes the character of a canonical text has that begins at position i.
local function width(text, i)
  local lead = byte(text, i)
  if lead < 0x80 then
    return 1
  end
  return (lead < 0xE0 or lead >= 0xFE) and 2 or lead < 0xF0 and 3 or 4
end

-- The characters of a pattern, false for `?`; and by how many of them stars come before.
local function tokens(pattern)
  local own, stars, count, p = {}, {}, 0, 1
  while p <= #pattern do
    local mark = byte(pattern, p)
    if mark == ANY then
      stars[count] = true
      p = p + 1
    else
      p = mark == LITERAL and p + 1 or p
      local length = mark == ONE and 1 or width(pattern, p)
      count = count + 1
      own[count] = mark ~= ONE and sub(pattern, p, p + length - 1)
      p = p + length
    end
  end
  return own, stars, count
end

-- Sets the bit in a list of 32-bit words; bit 0 stands for a pattern of which nothing has been matched yet.
local function set_bit(words, index)
  local word = floor(index / 32) + 1
  words[word] = bor(words[word] or 0, lshift(1, index % 32))
end

-- Whether the pattern covers text[i..e] (canonical), by following all ways to match it at once, 32 of them in a word: never more work than text times pattern by
-- 32. For patterns and texts that are made to exhaust `glob`.
local function covers(text, i, e, pattern)
  local own, stars, count = tokens(pattern)
  local last = floor(count / 32) + 1
  local stay, any, by_character, state = {}, {}, {}, {}
  for index = 0, count do
    if stars[index] then
      set_bit(stay, index)
    end
    local character = own[index + 1]
    if character == false then
      set_bit(any, index)
    elseif character then
      by_character[character] = by_character[character] or {}
      set_bit(by_character[character], index)
    end
  end
  for word = 1, last do
    stay[word], any[word], state[word] = stay[word] or 0, any[word] or 0, word == 1 and 1 or 0
  end
  local nothing = {}
  while i <= e do
    local length = width(text, i)
    local fits = by_character[sub(text, i, i + length - 1)] or nothing
    local carry = 0
    for word = 1, last do
      local before = state[word]
      local moved = band(before, bor(fits[word] or 0, any[word]))
      state[word] = bor(lshift(moved, 1), carry, band(before, stay[word]))
      carry = rshift(moved, 31)
    end
    i = i + length
  end
  return band(state[last], lshift(1, count % 32)) ~= 0
end

-- Whether the pattern covers text[i..e] (canonical). A star first takes nothing, then one character more each time what follows it does not fit; an earlier star
-- never needs to be asked again.
local function glob(text, i, e, pattern)
  local p, star, mark, first = 1, 0, 0, i
  local patience = PATIENCE * (e - i + #pattern + 64)
  while i <= e do
    local wanted = byte(pattern, p)
    if wanted == ANY then
      p = p + 1
      star, mark = p, i
    else
      local step, advance = 1, 1
      if wanted == ONE then
        advance = width(text, i)
      else
        if wanted == LITERAL then
          wanted, step = byte(pattern, p + 1), 2
        end
        if wanted ~= byte(text, i) then
          advance = 0
        end
      end
      if advance > 0 then
        i, p = i + advance, p + step
      elseif star > 0 then
        patience = patience - (i - mark) - 1
        if patience < 0 then
          return covers(text, first, e, pattern)
        end
        mark = mark + width(text, mark)
        i, p = mark, star
      else
        return false
      end
    end
  end
  while byte(pattern, p) == ANY do
    p = p + 1
  end
  return p > #pattern
end

-- In all of these a text may be nil or false: a key without a value (or without exactly one), which matches nothing.

function M.like(text, pattern)
  if not text or not pattern then
    return false
  end
  text = canonical(text)
  return glob(text, 1, #text, pattern)
end

local function starts(text, wanted, length)
  return #text >= length and C.memcmp(cast(bytes_of, text), cast(bytes_of, wanted), length) == 0
end

local function ends(text, wanted, length)
  return #text >= length and C.memcmp(cast(bytes_of, text) + (#text - length), cast(bytes_of, wanted), length) == 0
end

-- wanted*
function M.starts(text, wanted, length)
  return text and starts(text, wanted, length) or false
end

-- *wanted
function M.ends(text, wanted, length)
  return text and ends(text, wanted, length) or false
end

-- *wanted*
function M.has(text, wanted)
  return text and find(text, wanted, 1, true) ~= nil or false
end

-- first*last
function M.between(text, first, first_length, last, last_length)
  return text and #text >= first_length + last_length and starts(text, first, first_length) and ends(text, last, last_length) or false
end

-- first*middle*last
function M.around(text, first, first_length, middle, last, last_length)
  if not text or #text < first_length + #middle + last_length or not starts(text, first, first_length) or not ends(text, last, last_length) then
    return false
  end
  local _, stop = find(text, middle, first_length + 1, true)
  return stop ~= nil and stop <= #text - last_length
end

local EVERYTHING = "\1"

-- An ARN segment by segment; the patterns of the second to the sixth, which takes the rest. nil for a pattern whose variable has no value.
function M.arn(text, second, third, fourth, fifth, sixth)
  if not text or not (second and third and fourth and fifth and sixth) or not starts(text, "arn:", 4) then
    return false
  end
  text = canonical(text)
  local first = 5
  for segment = 2, 5 do
    local colon = find(text, ":", first, true)
    if not colon then
      return false
    end
    local pattern = segment == 2 and second or segment == 3 and third or segment == 4 and fourth or fifth
    if pattern ~= EVERYTHING and not glob(text, first, colon - 1, pattern) then
      return false
    end
    first = colon + 1
  end
  return sixth == EVERYTHING or glob(text, first, #text, sixth)
end

-- A value as a piece of a pattern: nothing in it is a wildcard.
function M.escape(value)
  value = canonical(value)
  if not value then
    return nil
  end
  for i = 1, #value do
    if byte(value, i) <= LITERAL then
      return (gsub(value, MARKS, "\3%0"))
    end
  end
  return value
end

-- Two pieces together; nil if one of them has no value.
function M.join(one, other)
  return one and other and one .. other or nil
end

return M
