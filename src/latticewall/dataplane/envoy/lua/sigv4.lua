-- Who signed a request of the Lattice data plane, from its head alone. The same as auth/lattice.py `verify_lattice`, texts included.
--
-- Page: VPC Lattice User Guide, "SIGv4 authenticated requests for Amazon VPC Lattice". The payload is never hashed: x-amz-content-sha256:
-- UNSIGNED-PAYLOAD must be sent and signed.
--
-- What a client's requests have in common (all of the Authorization header but the signature itself) is parsed once and kept, but only from requests that
-- turned out to be signed, so that nobody without a key fills the memory. What follows from a key is kept in its record. An unknown key costs the same
-- cryptography as a known one; that a beginning is kept (and parsing it is spared) shows at most that its key is in use here.

local ffi = require("ffi")
local canonical, forms = require("latticewall.canonical"), require("latticewall.canonical_path")
local checks = require("latticewall.claim_checks")
local sha256 = require("latticewall.sha256")
local signature = require("latticewall.signature")
local sigv4a = require("latticewall.sigv4a")

local byte_at, sub, find = string.byte, string.sub, string.find
local read_target = forms.read_target
local write_head, write_query, write_rest = canonical.write_head, canonical.write_query, canonical.write_rest
local trimmed, read_basic, stamp_of, mismatch = signature.trimmed, signature.read_basic, signature.stamp, signature.mismatch
local repeated, headers_fault, time_fault, scope_fault = checks.repeated, checks.headers_fault, checks.time_fault, checks.scope_fault
local hash_two, hmac, write_hex, same = sha256.hash_two, sha256.hmac, sha256.write_hex, sha256.same
local copy, cast = ffi.copy, ffi.cast

local M = {}

local SERVICE = "vpc-lattice-svcs"
local DEFAULT_SKEW = 300
local INVALID_TOKEN = "UnrecognizedClientException: The security token included in the request is invalid."
local EXPIRED_TOKEN = "ExpiredTokenException: The security token included in the request is expired"
local TOO_MANY = "MalformedQueryStringException: The request has more than 1000 query parameters."
local METHODS = { GET = true, POST = true, PUT = true, DELETE = true, HEAD = true, PATCH = true, OPTIONS = true }

local HEX, DIGEST, STAMP = 64, 32, 16
local NO_SIGNATURE = string.rep("-", HEX) -- equal to none, at the same cost
local LONGEST_KEPT = 1024 -- bytes of an Authorization header
local CLAIM_BYTES, NAME_BYTES, MOST_KEPT_BYTES = 700, 200, 16 * 1024 * 1024 -- estimates of what a claim and a signed name take beside their text
local ROOM_BESIDE_HEADERS = 512

local claims, lists, kept_bytes = {}, {}, 0
local to_sign_room = 1024
local to_sign_store = ffi.new("uint8_t[?]", to_sign_room)
local to_sign = cast("uint8_t *", to_sign_store)
local digest, expected = ffi.new("uint8_t[?]", DIGEST), ffi.new("uint8_t[?]", HEX)
local nobodys_key

local function refuse(text)
  return false, 403, text
end

local function names_of(text)
  return lists[text] or signature.read_names(text)
end

-- Keep what a client's next requests will have in common with one that was signed. All is forgotten when it has grown too large.
local function remember(authorization, claim)
  local length, list = #authorization, claim.names
  if not claim.ends_with_value or length > LONGEST_KEPT then
    return
  end
  kept_bytes = kept_bytes + length + CLAIM_BYTES + (lists[list.text] and 0 or #list.names * NAME_BYTES)
  if kept_bytes > MOST_KEPT_BYTES then
    claims, lists, kept_bytes = {}, {}, 0
  end
  lists[list.text] = list
  claim.value = nil
  claims[sub(authorization, 1, -HEX - 1)] = claim
end

local last_date, last_moment, last_day

-- The claim of an earlier request that this one shares, with the moment and day of this one's date. nil when there is none, or it must be parsed anew to
-- say what is wrong with it: a comma in the last 64 bytes would begin another parameter.
local function recall(authorization, date)
  local length = #authorization
  if length <= HEX or length > LONGEST_KEPT or date == nil then
    return nil
  end
  local claim = claims[sub(authorization, 1, length - HEX)]
  if claim == nil or find(authorization, ",", length - HEX + 1, true) then
    return nil
  end
  if date ~= last_date then
    local moment, day = read_basic(date)
    if moment == nil then
      return nil
    end
    last_date, last_moment, last_day = date, moment, day
  end
  return claim, last_moment, last_day
end

local function is_method(text)
  return METHODS[text] or (text ~= nil and find(text, "^[!-~]+$") ~= nil)
end

-- Whether there is more than one host, or one that contradicts the authority: which one was signed would be anyone's guess.
local function has_two_hosts(head)
  local by, count = head.by, head.count
  local host, authority = by["host"], by[":authority"]
  if (host == nil or authority == nil) and (count[host and "host" or ":authority"] or 0) <= 1 then
    return false
  end
  local only = host or authority
  for index = 1, head.n do
    local name = head.names[index]
    if (name == "host" or name == ":authority") and head.values[index] ~= only then
      return true
    end
  end
  return false
end

-- Whether the request claims a signature in its Authorization header; any other one is the application's business. Envoy makes one header of several, with
-- commas between them.
local function has_aws_authorization(head, authorization)
  if authorization == nil then
    return false
  end
  if byte_at(authorization, 1) == 65 and sub(authorization, 1, 5) == "AWS4-" then
    return true
  end
  for index = 1, head.n do
    if head.names[index] == "authorization" and find("," .. head.values[index], ",[ \t]*AWS4%-") then
      return true
    end
  end
  return false
end

-- The key that checks a claim's signatures, kept in the record; and whether it is the record's own, not the one that stands in for an unknown key: it
-- costs the same work.
local function hmac_key_of(record, signing)
  if record then
    local kept = record.cache_hmac
    if kept == nil then
      kept = {}
      record.cache_hmac = kept
    end
    local key = kept[signing]
    if key == nil then
      local text = record.signing and record.signing[signing]
      if type(text) == "string" and #text == DIGEST then
        key = sha256.new_key(text)
        kept[signing] = key
      end
    end
    if key then
      return key, true
    end
  end
  nobodys_key = nobodys_key or sha256.new_key(string.rep("\0", DIGEST))
  return nobodys_key, false
end

-- Write the string to sign up to the hash of the request. Returns where that goes.
local function begin_string(algorithm, stamp, scope)
  local at = #algorithm + 1 + STAMP + 1 + #scope + 1
  if at + HEX > to_sign_room then
    to_sign_room = at + HEX
    to_sign_store = ffi.new("uint8_t[?]", to_sign_room)
    to_sign = cast("uint8_t *", to_sign_store)
  end
  copy(to_sign, algorithm, #algorithm)
  local date_at = #algorithm + 1
  to_sign[date_at - 1] = 10
  copy(to_sign + date_at, stamp, STAMP)
  to_sign[date_at + STAMP] = 10
  copy(to_sign + date_at + STAMP + 1, scope, #scope)
  to_sign[at - 1] = 10
  return at
end

-- The canonical paths a signature may have been made for, the documented one first; others only where they differ.
local function paths_of(path, strict)
  local first, second, third = forms.generic_path(path), forms.wire_path(path), forms.encoded_wire_path(path)
  if strict or (second == first and third == first) then
    return { first }
  elseif second == first or third == first or third == second then
    return { first, second == first and third or second }
  end
  return { first, second, third }
end

-- Whether a signature fits one canonical path of the request whose other lines are written already (rest). value: what the request gives, of which the last
-- 64 bytes count in the symmetric form, and der_length in the other.
local function fits(method, path, path_length, rest, rest_length, at, key, value, der_length)
  local head_text, head_length = write_head(method, path, path_length)
  hash_two(digest, head_text, head_length, rest, rest_length)
  write_hex(to_sign + at, digest)
  if der_length then
    hash_two(digest, to_sign, at + HEX, to_sign, 0)
    return sigv4a.verify(key, digest, der_length)
  end
  hmac(digest, key, to_sign, at + HEX)
  write_hex(expected, digest)
  return same(cast("const uint8_t *", value) + (#value - HEX), expected, HEX)
end

local function fits_any(head, path_length, plain, strict, rest, rest_length, at, key, value, der_length)
  if plain then
    return fits(head.method, head.path, path_length, rest, rest_length, at, key, value, der_length)
  end
  local paths = paths_of(sub(head.path, 1, path_length), strict)
  for index = 1, #paths do
    if fits(head.method, paths[index], #paths[index], rest, rest_length, at, key, value, der_length) then
      return true
    end
  end
  return false
end

-- Whether a session token is the record's own (or there is none, and the record wants none).
local function owns_token(record, token)
  local wanted = record and record.token_digest or ""
  if token == "" then
    return wanted == ""
  end
  local given = sha256.digest(token)
  return #wanted == DIGEST and same(given, wanted, DIGEST)
end

-- The same work whether the key is known or not, then the verdict. value: what ends with the signature.
local function check_key(head, path_length, plain, query_length, claim, value, stamp, keys, now, options)
  local record = keys.find(claim.key_id)
  local list = claim.names
  local tail = options.payload and signature.tail(list.text, options.payload) or list.tail
  local rest, rest_length = write_rest(head, query_length, list.names, list.labels, tail)
  if rest == nil then
    return false, 400, ""
  end
  local key, known, der_length
  local formed = true
  if claim.algorithm == signature.HMAC then
    key, known = hmac_key_of(record, claim.signing)
  else
    key, known = sigv4a.key_of(record)
    der_length = sigv4a.read_signature(value)
    formed = der_length ~= nil
  end
  local at = begin_string(claim.algorithm, stamp, claim.scope)
  local matches = formed and fits_any(head, path_length, plain, options.strict_generic, rest, rest_length, at, key, value, der_length)
  local token = claim.token or trimmed(head.by["x-amz-security-token"] or "")
  local proven = known and record.cache_token == token
  if not proven then
    proven = owns_token(record, token) and known
  end
  if not proven then
    return refuse(INVALID_TOKEN)
  elseif not matches then
    return refuse(mismatch())
  elseif record.expires and record.expires > 0 and now >= record.expires then
    return refuse(EXPIRED_TOKEN)
  end
  record.cache_token = token
  return true, record
end

-- The claim of a request with its moment (epoch seconds) and day (20260102), the text that ends with its signature, its date as it is signed, and whether
-- the claim was known; or nil and the text of the refusal.
local function claim_of(head, authorization, path_length)
  local by = head.by
  local claim, moment, day
  if authorization then
    claim, moment, day = recall(authorization, by["x-amz-date"])
    if claim then
      return claim, moment, day, authorization, by["x-amz-date"], true
    end
    claim, moment = signature.from_header(head, names_of)
  else
    claim, moment = signature.from_query(head, sub(head.path, path_length + 2), names_of)
  end
  if claim == nil then
    return nil, moment
  end
  local value, stamp = claim.value, stamp_of(moment)
  if claim.algorithm == signature.HMAC and #value ~= HEX then
    value = NO_SIGNATURE
  end
  return claim, moment, tonumber(sub(stamp, 1, 8)), value, stamp, false
end

local function authenticate(head, path_length, plain, keys, now, region, options)
  local names, values, bytes = head.names, head.values, ROOM_BESIDE_HEADERS
  for index = 1, head.n do
    bytes = bytes + 2 * #names[index] + #values[index] + 4
  end
  local query_length, in_query = write_query(head.path, path_length, bytes)
  local authorization = head.by["authorization"]
  if not in_query and not has_aws_authorization(head, authorization) then
    return nil
  elseif query_length == nil then
    return refuse(TOO_MANY)
  elseif authorization and in_query then
    return refuse(mismatch())
  end
  local fault = repeated(head.count)
  if fault then
    return refuse(fault)
  end
  local claim, moment, day, value, stamp, recalled = claim_of(head, authorization, path_length)
  if claim == nil then
    return refuse(moment)
  end
  fault = headers_fault(head, claim.names, authorization ~= nil, options.payload)
    or time_fault(moment, claim.expires, now, options.skew or DEFAULT_SKEW)
    or scope_fault(head, claim, moment, day, region, options.service or SERVICE)
  if fault then
    return refuse(fault)
  end
  local verified, record, text = check_key(head, path_length, plain, query_length, claim, value, stamp, keys, now, options)
  if verified and authorization and not recalled then
    remember(authorization, claim)
  end
  return verified, record, text
end

-- Whether a request is signed: nil when it is not (anonymous); true and the key's record; or false, an HTTP status and a line of text.
--
-- head: method, path (as it came, with query), n, names (lower case, in order of arrival), values, by (first value by name), count (by name).
-- keys.find(access key id): { signing = { ["20260102/us-west-2"] = kSigning }, ecdsa = public point of SigV4A, token_digest = SHA-256 of the session token or
-- "", expires = epoch seconds or 0 }. A record must not be changed, a new one takes its place. now: epoch seconds.
-- options: skew (seconds), strict_generic (accept only the canonical path of AWS's generic signers).
function M.verify(head, keys, now, region, options)
  local target = head.path
  if target == nil or not is_method(head.method) then
    return false, 400, ""
  end
  local path_length, plain = read_target(target)
  if plain == nil or has_two_hosts(head) then
    return false, 400, ""
  end
  return authenticate(head, path_length, plain, keys, now, region, options)
end

-- The signature alone, without what is Lattice's own: any path is taken, options.service is the service signed for and options.payload the last line of the
-- canonical request.
function M.verify_signature(head, keys, now, region, options)
  local path_length, plain = read_target(head.path)
  return authenticate(head, path_length, plain or false, keys, now, region, options)
end

return M
