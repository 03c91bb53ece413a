-- What Signature Version 4A needs beyond Version 4: ECDSA on P-256 by the machine's libcrypto, and region sets. The same as auth/sigv4a.py.
--
-- A check costs some 60 microseconds, twenty times that of Version 4; a request causes three at most (one for each canonical path), only when its signature has
-- the form of one.

local ffi = require("ffi")
local sha256 = require("latticewall.sha256")

local M = {}

ffi.cdef([[
typedef struct ec_key_st latticewall_ec_key;
latticewall_ec_key *EC_KEY_new_by_curve_name(int curve);
int EC_KEY_oct2key(latticewall_ec_key *key, const uint8_t *point, size_t length, void *context);
void EC_KEY_free(latticewall_ec_key *key);
int ECDSA_verify(int type, const uint8_t *digest, int digest_length, const uint8_t *signature, int signature_length, latticewall_ec_key *key);
void ERR_clear_error(void);
]])

local P256 = 415 -- NID_X9_62_prime256v1
local POINT, SHORTEST, LONGEST, LONGEST_NUMBER = 65, 8, 72, 33
local SEQUENCE, INTEGER = 0x30, 0x02
local LONGEST_REGION_SET = 1024

-- The curve's generator: the public point of the key 1. An unknown access key costs the same work as a known one.
local GENERATOR = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"

local signature = ffi.new("uint8_t[?]", LONGEST)

local function from_hex(text)
  return (text:gsub("%x%x", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

-- A public key from its uncompressed point, nil when that is none.
local function new_key(point)
  if type(point) ~= "string" or #point ~= POINT then
    return nil
  end
  local crypto = sha256.crypto
  local key = crypto.EC_KEY_new_by_curve_name(P256)
  if key == nil then
    return nil
  end
  ffi.gc(key, crypto.EC_KEY_free)
  if crypto.EC_KEY_oct2key(key, point, #point, nil) ~= 1 then
    crypto.ERR_clear_error()
    return nil
  end
  return key
end

local nobody

-- The key that checks the signatures of a record, kept in it; and whether it is the record's own, not the one that stands in.
function M.key_of(record)
  local key = record and record.cache_ecdsa
  if key == nil and record then
    key = new_key(record.ecdsa) or false
    record.cache_ecdsa = key
  end
  if key then
    return key, true
  end
  nobody = nobody or new_key(from_hex(GENERATOR))
  return nobody, false
end

-- Where an integer that starts at `from` ends: positive, in its shortest form, of at most 33 bytes. nil for anything else.
local function after_integer(from, length)
  if from + 2 >= length or signature[from] ~= INTEGER then
    return nil
  end
  local size = signature[from + 1]
  local first, finish = signature[from + 2], from + 2 + size
  if size < 1 or size > LONGEST_NUMBER or finish > length or first >= 128 then
    return nil
  elseif first == 0 and (size == 1 or signature[from + 3] < 128) then
    return nil
  end
  return finish
end

-- Put a signature as requests carry it (DER, in lower-case hexadecimal) where `verify` takes it from. Returns its length, nil when it has not that form.
function M.read_signature(text)
  local length = #text / 2
  if length < SHORTEST or length > LONGEST or length % 1 ~= 0 or text:find("[^0-9a-f]") then
    return nil
  end
  ffi.copy(signature, from_hex(text), length)
  if signature[0] ~= SEQUENCE or signature[1] ~= length - 2 then
    return nil
  end
  local middle = after_integer(2, length)
  return middle and after_integer(middle, length) == length and length or nil
end

-- Whether the signature read last was made over this digest (32 bytes of memory).
function M.verify(key, digest, length)
  local crypto = sha256.crypto
  local verified = crypto.ECDSA_verify(0, digest, 32, signature, length, key) == 1
  if not verified then
    crypto.ERR_clear_error()
  end
  return verified
end

-- Whether a pattern matches all of a text; `*` is any run of characters. Takes no more steps than the product of their lengths.
local function matches(pattern, text)
  local p, t, star, mark = 1, 1, nil, 1
  while t <= #text do
    local wanted = pattern:byte(p)
    if wanted == 42 then
      star, mark, p = p, t, p + 1
    elseif wanted == text:byte(t) then
      p, t = p + 1, t + 1
    elseif star then
      p, mark = star + 1, mark + 1
      t = mark
    else
      return false
    end
  end
  return not pattern:find("[^*]", p)
end

-- Whether a region set (names separated by commas, `*` for any run of characters) has a region in it.
function M.covers(region_set, region)
  if #region_set > LONGEST_REGION_SET then
    return false
  end
  for item in (region_set .. ","):gmatch("[ \t]*([^,]-)[ \t]*,") do
    if matches(item, region) then
      return true
    end
  end
  return false
end

return M
