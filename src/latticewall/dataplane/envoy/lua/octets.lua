-- Bytes as signers write them: which stay as they are, and how the others are encoded. Pages: IAM User Guide, "Create a signed AWS API request"; RFC 3986.

local ffi = require("ffi")

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

-- A text with its whole percent escapes decoded.
local function decoded(text)
  return (text:gsub("%%(%x%x)", from_digits))
end

return { unreserved = unreserved, hex_value = hex_value, high_digit = high_digit, low_digit = low_digit, decoded = decoded }
