-- The filter that Envoy runs for every request to a service with auth type AWS_IAM, and to none: what calls Envoy around the judgement.
--
-- The request arrives with the header x-amzn-lattice-identity set to `pending` (before anything else looked at it). Only a decision takes that mark
-- away; a later filter refuses whatever still has it, so that nothing passes when this code fails, is missing, or cannot answer.

local decide = require("latticewall.decide")
local judge = require("latticewall.judge")
local sha256 = require("latticewall.sha256")

local IDENTITY, IDENTITY_TAGS = judge.IDENTITY, "x-amzn-lattice-identity-tags"
local PASS, REFUSED = judge.PASS, judge.REFUSED
local METADATA = "latticewall"
local MOST_DETAIL = 8192
local LONGEST_TARGET = 2048

local head, verdict, question = judge.head, judge.verdict, judge.question
local current -- Envoy's handle of the request being decided

judge.open(require("latticewall.settings"), function()
  return current:streamInfo():downstreamDirectRemoteAddress():match("^%[?(.-)%]?:%d+$")
end)

local function json_text(text)
  return '"' .. text:gsub('[%c"\\\127-\255]', function(character)
    return string.format("\\u%04x", character:byte())
  end) .. '"'
end

local HALF = ("%x"):rep(32)

local function unescaped(text)
  return (text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

local function mark(token)
  return "sha256:" .. sha256.hex(sha256.digest(token))
end

-- A query without a session token, and with half of a signature.
local function harmless(target)
  local path, query = target:match("^([^?]*)(.*)$")
  return path .. query:gsub("[^?&]+", function(pair)
    local name, value = pair:match("^([^=]*)=(.*)$")
    name = name and unescaped(name)
    if name == "X-Amz-Security-Token" then
      return name .. "=" .. mark(unescaped(value))
    elseif name == "X-Amz-Signature" then
      return name .. "=" .. value:sub(1, 32)
    end
    return nil
  end)
end

-- The head of a request whose signature is none, for an explanation: no session token, no cookie, and of the signature only half.
local function head_json()
  local parts, length = {}, 0
  for index = 1, head.n do
    local name, value = head.names[index], head.values[index]
    if name == "x-amz-security-token" then
      value = mark(value)
    elseif name == "authorization" then
      value = value:gsub("(Signature=" .. HALF .. ")%x*", "%1")
    elseif name == "cookie" then
      value = ""
    elseif name == ":path" then
      value = harmless(value:sub(1, LONGEST_TARGET))
    end
    local part = "[" .. json_text(name) .. "," .. json_text(value) .. "]"
    length = length + #part
    if length > MOST_DETAIL then
      break
    end
    parts[#parts + 1] = part
  end
  local target = json_text(harmless((head.path or ""):sub(1, LONGEST_TARGET)))
  return '{"method":' .. json_text(head.method or "") .. ',"target":' .. target .. ',"headers":[' .. table.concat(parts, ",") .. "]}"
end

local function printable(text)
  return (text:gsub("[^\32-\126]", function(character)
    return string.format("%%%02X", character:byte())
  end))
end

-- What the access log says of a request that is denied, or would be.
local function note(handle, facts)
  local metadata = handle:streamInfo():dynamicMetadata()
  for name, value in pairs(facts) do
    if value ~= "" then
      metadata:set(METADATA, name, value)
    end
  end
end

local function answer(handle, status, text)
  handle:respond({ [":status"] = tostring(status), ["content-type"] = "text/plain" }, text)
end

local function pass(headers)
  local record = verdict.record
  if record then
    headers:replace(IDENTITY, record.identity_header)
    if record.tags_header ~= "" then
      headers:replace(IDENTITY_TAGS, record.tags_header)
    end
  else
    headers:remove(IDENTITY)
  end
end

local function refused(handle, headers)
  local detail = verdict.reason and json_text(verdict.reason) or json_text(verdict.text) .. ',"head":' .. head_json()
  note(handle, { resolvedUser = "Unknown", authDetail = '{"refused":' .. detail .. "}" })
  if verdict.audit then
    return pass(headers)
  end
  return answer(handle, verdict.status, verdict.text)
end

local function denied(handle, headers)
  local record = verdict.record
  local who = record and record.principal.arn or "anonymous"
  local detail = '{"layer":"%s","policy":"%s","explicit":%s,"statement":%d}'
  local facts = {
    resolvedUser = record and who or "Anonymous",
    authDeniedReason = verdict.layer,
    authDetail = detail:format(verdict.layer, verdict.part, tostring(verdict.explicit), verdict.statement),
  }
  if record then
    facts.callerPrincipal, facts.callerPrincipalOrgID, facts.callerPrincipalTags = who, record.org, record.tags_json
    facts.accessKeyId = record.id
    for member, value in pairs(record.certificate) do
      facts[member] = value
    end
  end
  note(handle, facts)
  if verdict.audit then
    return pass(headers)
  end
  return answer(handle, 403, decide.denial_text(who, judge.ACTION, printable(question.resource), verdict.layer, verdict.explicit))
end

-- The name that a host is known by: in small letters, without a port. nil for what is no host, or several: Envoy makes one, with commas, of many Host headers.
local function name_of(asked)
  local host, port = asked:match("^([%w._-]+):?(%d*)$")
  if not host then
    host, port = asked:match("^(%[[%x:.]+%]):?(%d*)$")
  end
  if not host or #port > 5 or (tonumber(port) or 0) > 65535 then
    return nil
  end
  return host:lower()
end

-- Envoy finds a route by the host as it is spelt, and knows names in small letters, without a port or with the listener's: a request that has no route may have
-- asked otherwise. The one that it means is chosen here and stays; what was signed, and what the target is told, is what was sent. Returns what the route's
-- service says of itself, if any.
local function otherwise_spelt(handle, headers, asked, name)
  if name == asked or headers:get(":method") == "CONNECT" then
    return nil -- no route takes a tunnel, however its end is spelt
  end
  headers:replace(":authority", name)
  handle:clearRouteCache()
  handle:metadata() -- it is the route's: so there must be one
  headers:replace(":authority", asked)
  return handle:virtualHost():metadata()
end

local function decide_request(handle, place)
  local headers = handle:headers()
  local names, values, n = head.names, head.values, 0
  for name, value in pairs(headers) do
    n = n + 1
    names[n], values[n] = name, value
  end
  head.n = n
  local at = handle:filterContext():get("at")
  if not at then
    local asked = headers:get(":authority") or ""
    local name = name_of(asked)
    if not name then
      return answer(handle, 400, "Bad Request")
    end
    local service = otherwise_spelt(handle, headers, asked, name)
    if service and service:get("authorize") == "no" then
      return headers:remove(IDENTITY)
    end
    at = service and service:get("at")
  end
  if not at then
    -- no service has that name, or no route takes it (CONNECT): it came in nowhere
    return answer(handle, 404, "")
  end
  local found = judge.judge(at, place)
  if found == PASS then
    return pass(headers)
  elseif found == REFUSED then
    return refused(handle, headers)
  end
  return denied(handle, headers)
end

-- place: of the listener: the client's VPC, its owner, the port.
function envoy_on_request(handle, place)
  current = handle
  local decided, problem = pcall(decide_request, handle, place)
  current = nil
  if not decided then
    handle:logErr("a request could not be decided and is refused: " .. tostring(problem))
    answer(handle, 403, "AccessDeniedException: the request could not be decided")
  end
end

-- What calls Envoy is interpreted: LuaJIT would compile it in pieces between the calls, over and over. The judgement is compiled.
for _, calling in ipairs({ envoy_on_request, decide_request, name_of, otherwise_spelt, pass, refused, denied, note, answer }) do
  jit.off(calling)
end
