-- SHA-256 and HMAC-SHA-256 by the machine's libcrypto (OpenSSL 3), called through FFI.
--
-- The low-level SHA256_* calls are used because they neither allocate nor look anything up. A key of HMAC is kept as the two states that SHA-256 has
-- reached after the key's inner and outer block, so that an HMAC costs the blocks of its text and one more. States and digests are reused: nothing here
-- may be called from two coroutines that yield in between (nothing here yields).

local ffi = require("ffi")
local copy = ffi.copy

local M = {}

-- A state is SHA256_CTX: eight words, the length, a block not yet complete, its length, the length of the digest.
ffi.cdef([[
typedef struct { uint32_t h[8]; uint32_t low, high; uint32_t block[16]; unsigned int held, length; } latticewall_sha256;
typedef struct { latticewall_sha256 inner, outer; } latticewall_hmac_key;
int SHA256_Init(latticewall_sha256 *state);
int SHA256_Update(latticewall_sha256 *state, const void *text, size_t length);
int SHA256_Final(uint8_t *digest, latticewall_sha256 *state);
int CRYPTO_memcmp(const void *one, const void *other, size_t length);
]])

local BLOCK, DIGEST = 64, 32
local STATE_SIZE = ffi.sizeof("latticewall_sha256")
local crypto

local state = ffi.new("latticewall_sha256")
local digest = ffi.new("uint8_t[?]", DIGEST)
local digits = ffi.new("uint16_t[256]")
for byte = 0, 255 do
  local text = string.format("%02x", byte)
  digits[byte] = ffi.abi("le") and text:byte(1) + 256 * text:byte(2) or 256 * text:byte(1) + text:byte(2)
end

-- path: that of libcrypto.so.3. To be called once, before anything else. The library is then M.crypto.
function M.load(path)
  crypto = ffi.load(path)
  M.crypto = crypto
end

-- Write to `out` (32 bytes) the SHA-256 of two stretches of memory, one after the other.
function M.hash_two(out, first, first_length, second, second_length)
  crypto.SHA256_Init(state)
  crypto.SHA256_Update(state, first, first_length)
  crypto.SHA256_Update(state, second, second_length)
  crypto.SHA256_Final(out, state)
end

-- Write to `out` (32 bytes) the HMAC-SHA-256 of a stretch of memory. key: from new_key.
function M.hmac(out, key, text, length)
  copy(state, key.inner, STATE_SIZE)
  crypto.SHA256_Update(state, text, length)
  crypto.SHA256_Final(out, state)
  copy(state, key.outer, STATE_SIZE)
  crypto.SHA256_Update(state, out, DIGEST)
  crypto.SHA256_Final(out, state)
end

local function padded(target, text, mask)
  local block = ffi.new("uint8_t[?]", BLOCK)
  for index = 0, BLOCK - 1 do
    block[index] = bit.bxor(index < #text and text:byte(index + 1) or 0, mask)
  end
  crypto.SHA256_Init(target)
  crypto.SHA256_Update(target, block, BLOCK)
end

-- A key made ready. text: its bytes; what is longer than a block is hashed first, as HMAC says.
function M.new_key(text)
  if #text > BLOCK then
    text = M.digest(text)
  end
  local key = ffi.new("latticewall_hmac_key")
  padded(key.inner, text, 0x36)
  padded(key.outer, text, 0x5c)
  return key
end

-- Write 32 bytes as 64 lower-case hexadecimal digits.
function M.write_hex(target, bytes)
  local pairs_of_digits = ffi.cast("uint16_t *", target)
  for index = 0, DIGEST - 1 do
    pairs_of_digits[index] = digits[bytes[index]]
  end
end

-- Whether two stretches of memory are the same, in a time that depends on their length only.
function M.same(one, other, length)
  return crypto.CRYPTO_memcmp(one, other, length) == 0
end

-- The SHA-256 of a text: a string of 32 bytes.
function M.digest(text)
  crypto.SHA256_Init(state)
  crypto.SHA256_Update(state, text, #text)
  crypto.SHA256_Final(digest, state)
  return ffi.string(digest, DIGEST)
end

-- Lower-case hexadecimal digits of a string.
function M.hex(text)
  return (text:gsub(".", function(character)
    return string.format("%02x", character:byte())
  end))
end

return M
