-- The filter that Envoy runs for every request to a service with auth type AWS_IAM: who signed, and what the policies say.
--
-- The request arrives with the header x-amzn-lattice-identity set to `pending` (before anything else looked at it). Only a decision takes that mark
-- away; a later filter refuses whatever still has it, so that nothing passes when this code fails, is missing, or cannot answer.

local ffi = require("ffi")
local clear = require("table.clear")
local sha256 = require("latticewall.sha256")
local sigv4 = require("latticewall.sigv4")
local policy = require("latticewall.policy")
local tables = require("latticewall.tables")
local decide = require("latticewall.decide")
local settings = require("latticewall.settings")

ffi.cdef("long time(long *seconds);")

local ACTION = "vpc-lattice-svcs:Invoke"
local IDENTITY, IDENTITY_TAGS = "x-amzn-lattice-identity", "x-amzn-lattice-identity-tags"
local METADATA = "latticewall"
local MOST_ROUTES = 10000
local MOST_DETAIL = 8192

sha256.load(settings.crypto)
tables.open(settings.folder, policy)

-- Where a request came in, by the text in the route's configuration: its parts, and the condition keys that follow from it.
local routes, route_count = {}, 0

local function split(text)
  local words = {}
  for word in text:gmatch("%S+") do
    words[#words + 1] = word
  end
  return words
end

local function last_segment(arn)
  return arn:match("[^/]+$")
end

local function new_route(text)
  local words = split(text)
  if #words ~= 5 then
    return nil
  end
  if route_count >= MOST_ROUTES then
    routes, route_count = {}, 0
  end
  local route = {
    service_arn = words[1], network_arn = words[2], vpc = words[3], vpc_owner = words[4], port = words[5],
    service = last_segment(words[1]), network = last_segment(words[2]),
  }
  routes[text], route_count = route, route_count + 1
  return route
end

-- The condition keys of a route; made anew when the service's own (its tags) have changed.
local function route_keys(route, service)
  if route.keys_of ~= service then
    local keys = {}
    for name, value in pairs(service.c) do
      keys[name] = value
    end
    keys["vpc-lattice-svcs:servicearn"] = route.service_arn
    keys["vpc-lattice-svcs:servicenetworkarn"] = route.network_arn
    keys["vpc-lattice-svcs:sourcevpc"] = route.vpc
    keys["vpc-lattice-svcs:sourcevpcowneraccount"] = route.vpc_owner
    keys["vpc-lattice-svcs:port"] = route.port
    keys["aws:securetransport"] = "false"
    keys["aws:viaawsservice"] = "false"
    route.keys, route.keys_of = keys, service
  end
  return route.keys
end

local ANONYMOUS = {
  principal = { type = "Anonymous", arn = "", account = "anonymous", role_arn = "", role_id = "", userid = "" },
  p = { ["aws:principaltype"] = "Anonymous", ["aws:principalaccount"] = "anonymous" },
}

local head = { names = {}, values = {}, by = {}, count = {}, n = 0 }
local current -- Envoy's handle of the request being decided

local question = setmetatable({ action = ACTION:lower(), head = head }, {
  __index = function(_, name)
    if name == "source_ip" and current then
      return (current:streamInfo():downstreamDirectRemoteAddress():match("^%[?(.-)%]?:%d+$"))
    end
    return nil
  end,
})

local keys = {
  find = function(access_key_id)
    return tables.find("keys", access_key_id)
  end,
}
local options = { skew = settings.skew, strict_generic = settings.strict_generic }

local function read_head(headers)
  local names, values, by, count, n = head.names, head.values, head.by, head.count, 0
  clear(by)
  clear(count)
  for name, value in pairs(headers) do
    if name ~= IDENTITY then
      n = n + 1
      names[n], values[n] = name, value
      local seen = count[name]
      if seen then
        count[name] = seen + 1
      else
        count[name], by[name] = 1, value
      end
    end
  end
  for index = n + 1, head.n do
    names[index], values[index] = nil, nil
  end
  head.n = n
  head.method, head.path, head.authority = by[":method"], by[":path"], by[":authority"]
end

local function json_text(text)
  return '"' .. text:gsub('[%c"\\\127-\255]', function(character)
    return string.format("\\u%04x", character:byte())
  end) .. '"'
end

-- The signed head, for an explanation of a signature that does not match: no session token, and of the signature only half.
local function head_json()
  local parts, length = {}, 0
  for index = 1, head.n do
    local name, value = head.names[index], head.values[index]
    if name == "x-amz-security-token" then
      value = "sha256:" .. sha256.hex(sha256.digest(value))
    elseif name == "authorization" then
      value = #value > 96 and value:sub(1, -33) or ""
    elseif name == "cookie" then
      value = ""
    end
    local part = "[" .. json_text(name) .. "," .. json_text(value) .. "]"
    length = length + #part
    if length > MOST_DETAIL then
      break
    end
    parts[#parts + 1] = part
  end
  return '{"method":' .. json_text(head.method) .. ',"target":' .. json_text(head.path:sub(1, 2048)) .. ',"headers":[' .. table.concat(parts, ",") .. "]}"
end

local function printable(text)
  return (text:gsub("[^\32-\126]", function(character)
    return string.format("%%%02X", character:byte())
  end))
end

local function note(handle, facts)
  local metadata = handle:streamInfo():dynamicMetadata()
  for name, value in pairs(facts) do
    if value ~= "" then
      metadata:set(METADATA, name, value)
    end
  end
end

local function refuse(handle, status, text)
  handle:respond({ [":status"] = tostring(status), ["content-type"] = "text/plain" }, text)
end

local function pass(headers, record)
  if record then
    headers:replace(IDENTITY, record.identity_header)
    if record.tags_header ~= "" then
      headers:replace(IDENTITY_TAGS, record.tags_header)
    end
  else
    headers:remove(IDENTITY)
  end
end

-- A signature that is none: refused, or only noted where the service network audits.
local function refuse_signature(handle, headers, network, status, text)
  note(handle, { resolvedUser = "Unknown", authDetail = '{"refused":' .. json_text(text) .. ',"head":' .. head_json() .. "}" })
  if network and network.audit then
    return pass(headers, nil)
  end
  return refuse(handle, status, text)
end

local function refuse_by_policy(handle, headers, network, record, layer, explicit, statement, part)
  local who = record and record.principal.arn or "anonymous"
  local facts = {
    resolvedUser = record and who or "Anonymous",
    authDeniedReason = layer,
    authDetail = string.format('{"layer":"%s","policy":"%s","explicit":%s,"statement":%d}', layer, part, tostring(explicit), statement),
  }
  if record then
    facts.callerPrincipal, facts.callerPrincipalOrgID, facts.callerPrincipalTags = who, record.org, record.tags_json
    facts.accessKeyId = record.id
  end
  note(handle, facts)
  if network.audit then
    return pass(headers, record)
  end
  return refuse(handle, 403, decide.denial_text(who, ACTION, printable(question.resource), layer, explicit))
end

local function without_query(path)
  local mark = path:find("?", 1, true)
  if mark then
    return path:sub(1, mark - 1), path:sub(mark + 1)
  end
  return path, nil
end

local function decide_request(handle, headers, context)
  local now = tonumber(ffi.C.time(nil))
  if not tables.usable(now) then
    note(handle, { resolvedUser = "Unknown", authDetail = '{"refused":"the proxy has no tables to decide from, or they are too old"}' })
    return refuse(handle, 403, "AccessDeniedException: the service network cannot decide about requests")
  end
  local route = routes[context] or new_route(context)
  local service = route and tables.find("services", route.service)
  local network = route and tables.find("networks", route.network)
  if not service or not network then
    note(handle, { resolvedUser = "Unknown", authDetail = '{"refused":"the service or its network is not in the tables"}' })
    return refuse(handle, 403, "AccessDeniedException: the request came in where no service is configured")
  end
  if service.auth == "NONE" and network.auth == "NONE" then
    return pass(headers, nil)
  end
  read_head(headers)
  if not head.method or not head.path then
    return refuse(handle, 400, "")
  end
  local signed, second, third = sigv4.verify(head, keys, now, service.region, options)
  if signed == false then
    return refuse_signature(handle, headers, network, second, third)
  end
  local record = signed and second or nil
  local identity = record and tables.find("identities", record.identity)
  if record and not identity then
    return refuse_signature(handle, headers, network, 403, "UnrecognizedClientException: The security token included in the request is invalid.")
  end
  local caller = record or ANONYMOUS
  question.principal, question.p, question.c = caller.principal, caller.p, route_keys(route, service)
  question.method, question.now = head.method, now
  question.path, question.query = without_query(head.path)
  question.resource = route.service_arn .. (question.path:byte(1) == 47 and "" or "/") .. question.path
  local allowed, layer, explicit, statement, part = decide.invoke(question, network, service, identity, record)
  if allowed then
    return pass(headers, record)
  end
  return refuse_by_policy(handle, headers, network, record, layer, explicit, statement, part)
end

function envoy_on_request(handle)
  local context = handle:filterContext():get("at")
  current = handle
  local decided, problem = pcall(decide_request, handle, handle:headers(), context)
  current = nil
  if not decided then
    handle:logErr("a request could not be decided and is refused: " .. tostring(problem))
    handle:respond({ [":status"] = "403", ["content-type"] = "text/plain" }, "AccessDeniedException: the request could not be decided")
  end
end
