"""What a load balancer's own filter does in Envoy: trace ids, redirections out of the request's own parts, and its own answers in plain HTTP where Envoy
makes them gRPC's. Constants: what differs between rules comes as values, by the filter's context."""

from __future__ import annotations

OWN_ANSWER = "x-latticewall-own"
"""The header with the status of the load balancer's own answer, between its making and its way out; a target's copy of it gets as far as that, no farther."""
SCRIPT = r"""
local random = io.open("/dev/urandom", "rb")

local function trace_id()
  local bytes = random and random:read(12)
  if not bytes or #bytes < 12 then return nil end
  return string.format("1-%08x-", os.time()) .. bytes:gsub(".", function(byte) return string.format("%02x", byte:byte()) end)
end

local function trace(headers)
  local id = trace_id()
  if not id then return end
  local given = headers:get("x-amzn-trace-id")
  if not given or given == "" then
    headers:replace("x-amzn-trace-id", "Root=" .. id)
    return
  end
  local kept, rooted = {}, false
  for field in given:gmatch("[^;]+") do
    if field:sub(1, 5) ~= "Self=" then
      rooted = rooted or field:sub(1, 5) == "Root="
      kept[#kept + 1] = field
    end
  end
  headers:replace("x-amzn-trace-id", (rooted and "Self=" or "Root=") .. id .. (#kept > 0 and ";" or "") .. table.concat(kept, ";"))
end

local function redirect(handle, context)
  local headers = handle:headers()
  local path, query = (headers:get(":path") or "/"):match("^/?([^?]*)%??(.*)$")
  local host = (headers:get(":authority") or ""):gsub(":%d+$", "")
  local parts = {["#{path}"] = path, ["#{query}"] = query, ["#{host}"] = host}
  local function filled(text) return (text:gsub("#{%a+}", parts)) end
  local asked = filled(context:get("query"))
  local place = context:get("protocol") .. "://" .. filled(context:get("host")) .. ":" .. context:get("port")
  local location = place .. filled(context:get("path")) .. (asked ~= "" and "?" .. asked or "")
  handle:respond({[":status"] = context:get("status"), ["location"] = location, ["content-type"] = "text/html"}, "")
end

function envoy_on_request(handle)
  local context = handle:filterContext()
  if context:get("status") then
    redirect(handle, context)
    return
  end
  trace(handle:headers())
end
"""
PLAIN_ANSWERS = r"""
function envoy_on_response(handle)
  local headers = handle:headers()
  local status = headers:get("x-latticewall-own")
  if not status then return end
  headers:remove("x-latticewall-own")
  if headers:get("grpc-status") then
    headers:replace(":status", status)
    for _, name in ipairs({"grpc-status", "grpc-message", "content-type"}) do headers:remove(name) end
  end
end
"""
"""For listeners that take HTTP/2. What is called by gRPC gets a status of HTTP, too, and no body."""
