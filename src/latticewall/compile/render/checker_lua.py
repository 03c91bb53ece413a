"""What a checker does in Envoy: it sends the check to the target that is meant, and turns the target's answer into 200 or 503. A constant: which codes pass
comes as a value, by the filter's context. Whatever goes wrong on the way leaves 503."""

from __future__ import annotations

CODE = "x-latticewall-code"
"""The code that came back, for the log."""
OWN_ANSWER = "x-latticewall-own"
"""In Envoy's own answers: no target has answered."""

SCRIPT = r"""
local function among(code, codes)
  for first, last in codes:gmatch("(%d+)-(%d+)") do
    if code >= tonumber(first) and code <= tonumber(last) then return true end
  end
  return false
end

local function grpc_status(handle)
  local status = handle:headers():get("grpc-status")
  if status then return status end
  handle:body()
  local trailers = handle:trailers()
  return trailers and trailers:get("grpc-status")
end

function envoy_on_request(handle)
  handle:streamInfo():dynamicMetadata():set("latticewall", "target", handle:headers():get(":authority"))
end

function envoy_on_response(handle)
  local status = handle:headers():get(":status")
  handle:headers():replace(":status", "503")
  if handle:headers():get("x-latticewall-own") then return end
  local grpc = handle:filterContext():get("protocol") == "grpc"
  local code
  if grpc then code = grpc_status(handle) else code = status end
  -- what answers without a status of gRPC is no server of gRPC: the code of HTTP tells more than nothing
  handle:headers():replace("x-latticewall-code", code or status)
  local number = code and tonumber(code)
  if number and among(number, handle:filterContext():get("codes")) then handle:headers():replace(":status", "200") end
end
"""
