-- The judgement on one request: who signed it, and what the policies of the service network, the service and the caller say. Calls nothing of Envoy, so that LuaJIT
-- compiles it as one piece; what it found is left in `M.verdict`.

local ffi = require("ffi")
local clear = require("table.clear")
local decide = require("latticewall.decide")
local policy = require("latticewall.policy")
local sha256 = require("latticewall.sha256")
local sigv4 = require("latticewall.sigv4")
local tables = require("latticewall.tables")

ffi.cdef("long time(long *seconds);")

local M = {}

M.PASS, M.REFUSED, M.DENIED = 0, 1, 2
M.ACTION = "vpc-lattice-svcs:Invoke"
M.IDENTITY = "x-amzn-lattice-identity"

local PASS, REFUSED, DENIED = M.PASS, M.REFUSED, M.DENIED
-- What the listener has added to the request: nothing of the client's, so neither signed nor asked for.
local OURS = { [M.IDENTITY] = true, ["x-amzn-lattice-network"] = true, ["x-amzn-lattice-services"] = true, ["x-amzn-source-vpc"] = true }
local MOST_ROUTES = 10000
local GRPC = "application/grpc"
local NO_TABLES = "AccessDeniedException: the service network cannot decide about requests"
local NO_SERVICE = "AccessDeniedException: the request came in where no service is configured"
local INVALID_TOKEN = "UnrecognizedClientException: The security token included in the request is invalid."

-- names, values, n: filled in by the caller, as they came. The rest follows from them.
local head = { names = {}, values = {}, by = {}, count = {}, n = 0 }
M.head = head

-- record: the key that signed, nil for an anonymous caller. status, text: of a refusal that is not a policy's. reason: why, for the log. audit: nothing is to
-- be denied. layer, explicit, statement, part: of a denial.
local verdict = {}
M.verdict = verdict

-- Where a request came in, by the texts in the configuration of the listener and of the route: their parts, and the condition keys that follow from them.
local routes, route_count = {}, 0
local options

local question = { action = M.ACTION:lower(), head = head, values = false, query = false, source_ip = false }
M.question = question

local keys = {
  find = function(access_key_id)
    return tables.find("keys", access_key_id)
  end,
}

local ANONYMOUS = {
  principal = { type = "Anonymous", arn = "", account = "anonymous", role_arn = "", role_id = "", userid = "" },
  p = { ["aws:principaltype"] = "Anonymous", ["aws:principalaccount"] = "anonymous" },
}

-- settings: folder (of the tables), crypto (path of libcrypto), skew (seconds), strict_generic. client_address() -> the connection's, asked only by policies
-- that need it.
function M.open(settings, client_address)
  -- every policy is compiled code of its own; the defaults are meant for one small program
  jit.opt.start("maxtrace=20000", "maxmcode=65536")
  sha256.load(settings.crypto)
  tables.open(settings.folder, policy)
  options = { skew = settings.skew, strict_generic = settings.strict_generic }
  setmetatable(question, {
    __index = function(_, name)
      return name == "source_ip" and client_address() or nil
    end,
  })
  question.source_ip = nil
end

local function last_segment(arn)
  return arn:match("[^/]+$")
end

local function new_route(at, place)
  local words = {}
  for word in (at .. " " .. place):gmatch("%S+") do
    words[#words + 1] = word
  end
  if #words < 5 or not words[5]:find("^%d+$") then
    return nil
  end
  if route_count >= MOST_ROUTES then
    routes, route_count = {}, 0
  end
  local route = {
    service_arn = words[1], network_arn = words[2], vpc = words[3], vpc_owner = words[4], port = words[5],
    service = last_segment(words[1]), network = last_segment(words[2]),
    secure = words[6] == "tls" and "true" or "false",
  }
  routes[place] = routes[place] or {}
  routes[place][at], route_count = route, route_count + 1
  return route
end

-- The condition keys of a route; made anew when the service's own (its tags) have changed.
local function new_route_keys(route, service)
  local found = {}
  for name, value in pairs(service.c) do
    found[name] = value
  end
  found["vpc-lattice-svcs:servicearn"] = route.service_arn
  found["vpc-lattice-svcs:servicenetworkarn"] = route.network_arn
  found["vpc-lattice-svcs:sourcevpc"] = route.vpc
  found["vpc-lattice-svcs:sourcevpcowneraccount"] = route.vpc_owner
  found["vpc-lattice-svcs:port"] = route.port
  found["aws:securetransport"] = route.secure
  found["aws:viaawsservice"] = "false"
  route.keys, route.keys_of = found, service
end

local function read_head()
  local names, values, by, count, n = head.names, head.values, head.by, head.count, head.n
  clear(by)
  clear(count)
  local kept = 0
  for index = 1, n do
    local name, value = names[index], values[index]
    if not OURS[name] then
      kept = kept + 1
      names[kept], values[kept] = name, value
      local seen = count[name]
      if seen then
        count[name] = seen + 1
      else
        count[name], by[name] = 1, value
      end
    end
  end
  for index = kept + 1, n do
    names[index], values[index] = nil, nil
  end
  head.n = kept
  head.method, head.path, head.authority = by[":method"], by[":path"], by[":authority"]
end

local function refuse(status, text, reason)
  verdict.status, verdict.text, verdict.reason = status, text, reason
  return REFUSED
end

local function set_authority(value)
  for index = 1, head.n do
    if head.names[index] == ":authority" then
      head.values[index] = value
    end
  end
  head.by[":authority"] = value
end

-- gRPC clients send the port in the authority and sign it without ("SIGv4 authenticated requests for Amazon VPC Lattice"). nil for any other request.
local function verify_without_port(region, now)
  local authority, kind = head.authority, head.by["content-type"]
  local host = authority and authority:match("^(.+):%d+$")
  if not host or not kind or kind:sub(1, #GRPC) ~= GRPC then
    return nil
  end
  set_authority(host)
  local signed, record = sigv4.verify(head, keys, now, region, options)
  set_authority(authority)
  return signed and record or nil
end

local function ask_policies(route, network, service, identity, record, now)
  local caller = record or ANONYMOUS
  if route.keys_of ~= service then
    new_route_keys(route, service)
  end
  question.principal, question.p, question.c = caller.principal, caller.p, route.keys
  question.method, question.now = head.method, now
  local target = head.path
  local mark = target:find("?", 1, true)
  if mark then
    question.path, question.query = target:sub(1, mark - 1), target:sub(mark + 1)
  else
    question.path, question.query = target, nil
  end
  question.resource = route.service_arn .. (target:byte(1) == 47 and "" or "/") .. question.path
  local allowed, layer, explicit, statement, part = decide.invoke(question, network, service, identity, record)
  if allowed then
    return PASS
  end
  verdict.layer, verdict.explicit, verdict.statement, verdict.part = layer, explicit, statement, part
  return DENIED
end

-- The judgement on the request in `M.head`, which came in where the route (`at`: service, service network) and the listener (`place`: VPC,
-- its owner, port, `tls`) say: PASS, REFUSED (no valid signature, or nothing to decide from) or DENIED.
function M.judge(at, place)
  local now = tonumber(ffi.C.time(nil))
  verdict.record, verdict.audit = nil, false
  if not tables.usable(now) then
    return refuse(403, NO_TABLES, "the proxy has no tables to decide from, or they are too old")
  end
  local here = routes[place]
  local route = here and here[at] or new_route(at, place)
  local service = route and tables.find("services", route.service)
  local network = route and tables.find("networks", route.network)
  if not service or not network then
    return refuse(403, NO_SERVICE, "the service or its network is not in the tables")
  end
  if service.auth == "NONE" and network.auth == "NONE" then
    return PASS
  end
  -- the owner of a network opens what is his, not another account's service that asks for signatures itself
  verdict.audit = network.audit and (service.auth == "NONE" or service.account == network.account)
  read_head()
  local signed, second, third = sigv4.verify(head, keys, now, service.region, options)
  if signed == nil then
    return ask_policies(route, network, service, nil, nil, now)
  end
  if not signed then
    local record = verify_without_port(service.region, now)
    if not record then
      return refuse(second, third)
    end
    second = record
  end
  local identity = tables.find("identities", second.identity)
  if not identity then
    return refuse(403, INVALID_TOKEN)
  end
  verdict.record = second
  return ask_policies(route, network, service, identity, second, now)
end

return M
