-- What may be wrong with a claim before any key is looked at: the headers it covers, its date, its scope. The same as auth/signature.py and
-- auth/lattice.py, texts and order included. Every function returns the text of the refusal, or nil.

local signature = require("latticewall.signature")
local sigv4a = require("latticewall.sigv4a")
local byte_at, sub = string.byte, string.sub
local trimmed, stamp_of, incomplete, mismatch = signature.trimmed, signature.stamp, signature.incomplete, signature.mismatch

local M = {}

local UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
local ADDED_BY_PROXIES = "x-amz-cf-id" -- the x-amz-* header that AWS's own front doors add after the client signed
local ONCE = { "authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "x-amz-region-set" }

-- A header that may come only once came more often.
function M.repeated(count)
  for index = 1, #ONCE do
    if (count[ONCE[index]] or 0) > 1 then
      return incomplete("The request has more than one '" .. ONCE[index] .. "' header.")
    end
  end
  return nil
end

-- A signed header that the request does not have; in HTTP/2 the authority plays host.
local function missing_header(names, pseudo, by)
  for index = 1, #names do
    local name = names[index]
    if (by[name] == nil and not ((name == "host" and by[":authority"]) or (name == ":authority" and by["host"]))) or name == pseudo then
      return incomplete("'" .. name .. "' is named as a SignedHeader, but it does not exist in the HTTP request.")
    end
  end
  return nil
end

-- Every x-amz-* header must be covered by the signature: an unsigned one may have been slipped in on the way. So must the date it rests on.
local function unsigned_header(head, signed, in_header)
  local found = nil
  if in_header and head.by["x-amz-date"] == nil and not signed["date"] then
    found = "date"
  end
  local names = head.names
  for index = 1, head.n do
    local name = names[index]
    if #name >= 6 and byte_at(name, 1) == 120 and byte_at(name, 6) == 45 and not signed[name] then
      if sub(name, 1, 6) == "x-amz-" and name ~= ADDED_BY_PROXIES and (found == nil or name < found) then
        found = name
      end
    end
  end
  return found and mismatch("'" .. found .. "' must be a 'SignedHeader' in the AWS Authorization.")
end

-- The headers: those the signature names are there, those that must be signed are, and the payload's says what Lattice wants. list: from read_names.
-- in_header: whether the signature is in the Authorization header. payload: what else the payload's line holds, nil for Lattice's.
function M.headers_fault(head, list, in_header, payload)
  local by = head.by
  local fault = list.fault or missing_header(list.names, list.pseudo, by)
  if not fault and not payload then
    if not list.signed["x-amz-content-sha256"] then
      fault = incomplete("Missing the 'x-amz-content-sha256' in canonical headers.")
    elseif trimmed(by["x-amz-content-sha256"]) ~= UNSIGNED_PAYLOAD then
      fault = mismatch("Signed payloads are not supported")
    end
  end
  return fault or unsigned_header(head, list.signed, in_header)
end

-- Neither too old nor from the future. expires: seconds of validity of a presigned request, nil for the header form.
function M.time_fault(moment, expires, now, skew)
  if moment > now + skew then
    return mismatch(string.format("Signature not yet current: %s is still later than %s (%s + %d min.)",
      stamp_of(moment), stamp_of(now + skew), stamp_of(now), math.floor(skew / 60)))
  end
  if expires then
    if now > moment + expires then
      return mismatch("Signature expired: " .. stamp_of(moment + expires) .. " is now earlier than " .. stamp_of(now))
    end
  elseif moment < now - skew then
    return mismatch(string.format("Signature expired: %s is now earlier than %s (%s - %d min.)",
      stamp_of(moment), stamp_of(now - skew), stamp_of(now), math.floor(skew / 60)))
  end
  return nil
end

-- Signed for this region and service, on the day the scope names.
function M.scope_fault(head, claim, moment, day, region, service)
  if claim.region == region and claim.service == service and claim.day_number == day and claim.terminator == signature.TERMINATOR then
    return nil
  end
  local region_set = nil
  if claim.region == nil then
    region_set = claim.region_set or trimmed(head.by["x-amz-region-set"])
  end
  local faults = {}
  if region_set and not sigv4a.covers(region_set, region) or not region_set and claim.region ~= region then
    faults[#faults + 1] = "Credential should be scoped to a valid region, not '" .. (region_set or claim.region) .. "'."
  end
  if claim.service ~= service then
    faults[#faults + 1] = "Credential should be scoped to correct service: '" .. service .. "'."
  end
  if claim.terminator ~= signature.TERMINATOR then
    faults[#faults + 1] = "Credential should be scoped with a valid terminator: 'aws4_request', not '" .. claim.terminator .. "'."
  end
  local stamp = stamp_of(moment)
  local today = sub(stamp, 1, 8)
  if claim.day ~= today then
    faults[#faults + 1] = "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '"
      .. claim.day .. "' != '" .. today .. "', from '" .. stamp .. "'."
  end
  return #faults > 0 and mismatch(table.concat(faults, " ")) or nil
end

return M
