"""What a load balancer's own filter does in Envoy: trace ids, and redirections out of the request's own parts. A constant: what differs between rules comes
as values, by the filter's context."""

from __future__ import annotations

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
