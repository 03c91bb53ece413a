-- Sticky sessions of load balancers: cookies that say, encrypted, which target (and which target group) a client came to.
--
-- A cookie is base64 of a nonce, a tag and what AES-256-GCM made of kind, end, group, application and address, a line each. Which load balancer and what kind of cookie it is
-- are authenticated with it. One that does not open, has ended, or is of a group that the rule has not, is as if it were not there: what a client
-- can reach by a cookie is what the load balancer chose for it, and nothing else. Even so Envoy sends only to targets of the group that are fit.

local ffi = require("ffi")

ffi.cdef([[
void *EVP_CIPHER_CTX_new(void);
void EVP_CIPHER_CTX_free(void *context);
int EVP_CIPHER_CTX_ctrl(void *context, int type, int argument, void *pointer);
const void *EVP_aes_256_gcm(void);
int EVP_CipherInit_ex(void *context, const void *cipher, void *engine, const uint8_t *key, const uint8_t *nonce, int encrypts);
int EVP_CipherUpdate(void *context, uint8_t *out, int *length, const uint8_t *text, int text_length);
int EVP_CipherFinal_ex(void *context, uint8_t *out, int *length);
int EVP_EncodeBlock(uint8_t *out, const uint8_t *bytes, int length);
int EVP_DecodeBlock(uint8_t *out, const uint8_t *text, int length);
]])

local TARGET, GROUP = "x-latticewall-target", "x-latticewall-group"
local METADATA = "latticewall.stickiness"
local NONCE, TAG, PAD = 12, 16, 48
local GET_TAG, SET_TAG = 0x10, 0x11
local WEEK = 604800
local LONGEST, MOST_COOKIES = 1024, 200
local NAMES = { "AWSALB", "AWSALBCORS", "AWSALBAPP-0", "AWSALBAPP-1", "AWSALBAPP-2", "AWSALBAPP-3", "AWSALBAPP-4" }

local crypto = ffi.load(CRYPTO_PATH)
local random = assert(io.open("/dev/urandom", "rb"))
local keeper = assert(io.open(KEY_PATH, "rb"))
local key = keeper:read(32)
keeper:close()
assert(key and #key == 32, "the key of sticky sessions has another length")

local context = ffi.gc(crypto.EVP_CIPHER_CTX_new(), crypto.EVP_CIPHER_CTX_free)
local length = ffi.new("int[1]")
local tag = ffi.new("uint8_t[?]", TAG)

local function base64(bytes)
  local out = ffi.new("uint8_t[?]", math.ceil(#bytes / 3) * 4 + 1)
  return ffi.string(out, crypto.EVP_EncodeBlock(out, bytes, #bytes))
end

local function unbase64(text)
  if #text == 0 or #text > LONGEST or #text % 4 ~= 0 or text:find("[^%w+/=]") then
    return nil
  end
  local out = ffi.new("uint8_t[?]", #text)
  local size = crypto.EVP_DecodeBlock(out, text, #text)
  if size < 0 then
    return nil
  end
  return ffi.string(out, size - #text:match("=*$"))
end

-- What AES makes of a text, nil for a tag that is not its own. about: authenticated with it. tag: read or written.
local function crypt(encrypts, text, nonce, about)
  local out = ffi.new("uint8_t[?]", #text)
  if crypto.EVP_CipherInit_ex(context, crypto.EVP_aes_256_gcm(), nil, key, nonce, encrypts) ~= 1 then
    return nil
  end
  if encrypts == 0 and crypto.EVP_CIPHER_CTX_ctrl(context, SET_TAG, TAG, tag) ~= 1 then
    return nil
  end
  if crypto.EVP_CipherUpdate(context, nil, length, about, #about) ~= 1 or crypto.EVP_CipherUpdate(context, out, length, text, #text) ~= 1 then
    return nil
  end
  local size = length[0]
  if crypto.EVP_CipherFinal_ex(context, out + size, length) ~= 1 then
    return nil
  end
  if encrypts == 1 and crypto.EVP_CIPHER_CTX_ctrl(context, GET_TAG, TAG, tag) ~= 1 then
    return nil
  end
  return ffi.string(out, size)
end

-- The value of a cookie. fields: texts without ends of lines.
local function seal(about, fields)
  local text = table.concat(fields, "\n") .. "\n"
  text = text .. string.rep(" ", (PAD - #text % PAD) % PAD)
  local nonce = random:read(NONCE)
  local sealed = nonce and #nonce == NONCE and crypt(1, text, nonce, about)
  return sealed and base64(nonce .. ffi.string(tag, TAG) .. sealed)
end

-- The fields of a cookie's value, nil for one that is not of our making.
local function open(about, value)
  local bytes = value and unbase64(value)
  if not bytes or #bytes <= NONCE + TAG then
    return nil
  end
  ffi.copy(tag, bytes:sub(NONCE + 1, NONCE + TAG), TAG)
  local text = crypt(0, bytes:sub(NONCE + TAG + 1), bytes:sub(1, NONCE), about)
  local fields = {}
  for field in (text or ""):gmatch("([^\n]*)\n") do
    fields[#fields + 1] = field
  end
  if #fields ~= 5 or (tonumber(fields[2]) or 0) <= os.time() then
    return nil
  end
  return { kind = fields[1], group = fields[3], application = fields[4], address = fields[5] }
end

local function about_of(said, name)
  return said:get("balancer") .. " " .. name:gsub("CORS$", "")
end

local function cookies_of(headers)
  local found, count = {}, 0
  for at = 0, (headers:getNumValues("cookie") or 0) - 1 do
    for name, value in (headers:getAtIndex("cookie", at) or ""):gmatch("([^=;%s]+)=([^;]*)") do
      count = count + 1
      if count > MOST_COOKIES then
        return found
      end
      found[name] = found[name] or value:match('^"?(.-)"?%s*$')
    end
  end
  return found
end

local M = {}

function M.on_request(handle)
  local said = handle:filterContext()
  local headers = handle:headers()
  local cookies = cookies_of(headers)
  local group = said:get("group")
  if said:get("group_seconds") > 0 then
    local about = about_of(said, "AWSALBTG")
    local stuck = open(about, cookies.AWSALBTG) or open(about, cookies.AWSALBTGCORS)
    if stuck then
      group = stuck.group
      headers:replace(GROUP, group)
      handle:clearRouteCache()
    end
  end
  for _, name in ipairs(NAMES) do
    local stuck = open(about_of(said, name), cookies[name])
    if stuck and stuck.group == group and (stuck.application == "" or cookies[stuck.application]) then
      headers:replace(TARGET, base64(stuck.address))
      local metadata = handle:streamInfo():dynamicMetadata()
      metadata:set(METADATA, "address", stuck.address)
      metadata:set(METADATA, "kind", stuck.kind)
      return
    end
  end
end

local function gives(headers, cookie)
  for at = 0, (headers:getNumValues("set-cookie") or 0) - 1 do
    if (headers:getAtIndex("set-cookie", at) or ""):match("^%s*([^=;%s]+)") == cookie then
      return true
    end
  end
  return false
end

-- Every cookie lasts a week for the client; how long the choice holds is in the cookie. Other sites' pages send only those that say so.
local function give(headers, said, name, fields, cors)
  local value = seal(about_of(said, name), fields)
  if not value then
    return
  end
  local ends = os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + WEEK)
  headers:add("set-cookie", name .. "=" .. value .. "; Expires=" .. ends .. "; Path=/")
  if cors then
    headers:add("set-cookie", name .. "CORS=" .. value .. "; Expires=" .. ends .. "; Path=/; SameSite=None" .. (said:get("secure") and "; Secure" or ""))
  end
end

function M.on_response(handle)
  local said = handle:filterContext()
  local headers, now = handle:headers(), os.time()
  local before = handle:streamInfo():dynamicMetadata():get(METADATA) or {}
  local chosen = headers:get(TARGET)
  headers:remove(TARGET)
  local address, kind, group = chosen and unbase64(chosen) or before.address, said:get("kind"), said:get("group")
  if said:get("group_seconds") > 0 then
    give(headers, said, "AWSALBTG", { "group", tostring(now + said:get("group_seconds")), group, "", "" }, true)
  end
  if not address or kind == "" then
    return
  end
  local application = said:get("application")
  local fields = { kind, tostring(now + said:get("seconds")), group, application, address }
  if kind == "lb_cookie" then
    give(headers, said, said:get("cookie"), fields, true)
  elseif before.kind == kind or gives(headers, application) then
    give(headers, said, said:get("cookie"), fields, false)
  end
end

return M
