-- What compiled policies call: the keys of a request, who asks, keys with several values, and the matchers of latticewall.addresses,
-- latticewall.glob and latticewall.values.
--
-- policy/to_lua.py writes the policies; policy/spec.py defines what they mean. The question q is described in docs of `compile_set`. Nothing here
-- raises, keeps a reference to a question, or makes a table, except for a query parameter that occurs more than once.

local addresses = require("latticewall.addresses")
local glob = require("latticewall.glob")
local values = require("latticewall.values")

local byte, find, gsub, sub, type = string.byte, string.find, string.gsub, string.sub, type
local date, floor, format = os.date, math.floor, string.format

local M = {}

for _, module in ipairs({ addresses, glob, values }) do
  for name, matcher in pairs(module) do
    M[name] = matcher
  end
end

-- Keys computed on demand. q.values, if there, is all the request has (tests ask this way).

function M.method(q)
  local given = q.values
  if given then
    return given["vpc-lattice-svcs:requestmethod"]
  end
  return q.method
end

function M.path(q)
  local given = q.values
  if given then
    return given["vpc-lattice-svcs:requestpath"]
  end
  return q.path
end

-- All values of a header, joined by commas in the order of arrival.
local function joined(head, name)
  local text
  local names, own = head.names, head.values
  for i = 1, head.n do
    if names[i] == name then
      text = text and text .. "," .. own[i] or own[i]
    end
  end
  return text
end

function M.header(q, name)
  local given = q.values
  if given then
    return given["vpc-lattice-svcs:requestheader/" .. name]
  end
  local head = q.head
  if not head then
    return nil
  end
  if (head.count[name] or 0) > 1 then
    return joined(head, name)
  end
  return head.by[name]
end

-- The Host header, which over HTTP/2 is the authority.
function M.host(q)
  return M.header(q, "host") or (not q.values and q.head and q.head.authority or nil)
end

-- The first value of a header that counts only if it is not empty: aws:UserAgent, aws:referer.
local function first(q, key, name)
  local given = q.values
  if given then
    return given[key]
  end
  local head = q.head
  local text = head and head.by[name]
  return text ~= "" and text or nil
end

function M.user_agent(q)
  return first(q, "aws:useragent", "user-agent")
end

function M.referer(q)
  return first(q, "aws:referer", "referer")
end

function M.source_ip(q)
  local given = q.values
  if given then
    return given["aws:sourceip"]
  end
  local text = q.source_ip
  return text ~= "" and text or nil
end

local last_second, last_time

function M.current_time(q)
  local given = q.values
  if given then
    return given["aws:currenttime"]
  end
  local second = floor(q.now)
  if second ~= last_second then
    last_second, last_time = second, date("!%Y-%m-%dT%H:%M:%SZ", second)
  end
  return last_time
end

function M.epoch_time(q)
  local given = q.values
  if given then
    return given["aws:epochtime"]
  end
  return format("%d", floor(q.now))
end

local PERCENT, AMPERSAND, EQUALS = 37, 38, 61
local ESCAPES = {}
for _, digits in ipairs({ "%%%02x", "%%%02X" }) do
  for code = 0, 255 do
    ESCAPES[format(digits, code)] = string.char(code)
  end
end
for code = 0xA0, 0xFF do -- one digit in lower and one in upper case
  local lower = format("%02x", code)
  ESCAPES["%" .. sub(lower, 1, 1) .. sub(lower, 2):upper()] = string.char(code)
  ESCAPES["%" .. sub(lower, 1, 1):upper() .. sub(lower, 2)] = string.char(code)
end

-- text[first..last] with its percent escapes resolved; a plus sign stays one.
local function decoded(text, start, stop)
  local own = sub(text, start, stop)
  if not find(own, "%", 1, true) then
    return own
  end
  return (gsub(own, "%%%x%x", ESCAPES))
end

-- The values of a query parameter: nil, one text, or a table of several, in order. Each byte of the query is looked at once.
local function parameter(query, name)
  local found
  local start, n = 1, #query
  while start <= n do
    local i, equals, escaped = start, nil, false
    while i <= n do
      local own = byte(query, i)
      if own == AMPERSAND then
        break
      end
      if own == EQUALS and not equals then
        equals = i
      elseif own == PERCENT and not equals then
        escaped = true
      end
      i = i + 1
    end
    local stop = (equals or i) - 1
    if i > start and (escaped or stop - start + 1 == #name) and decoded(query, start, stop) == name then
      local value = equals and decoded(query, equals + 1, i - 1) or ""
      if not found then
        found = value
      elseif type(found) == "string" then
        found = { found, value }
      else
        found[#found + 1] = value
      end
    end
    start = i + 1
  end
  return found
end

function M.query(q, name)
  local given = q.values
  if given then
    return given["vpc-lattice-svcs:requestquerystring/" .. name]
  end
  local query = q.query
  return query and parameter(query, name) or nil
end

-- What a variable that names a query parameter stands for: such a key has several values, so nothing.
function M.query_text(q, name)
  local given = q.values
  return given and M.text(given["vpc-lattice-svcs:requestquerystring/" .. name]) or nil
end

-- The value of a key that a variable may use: several values are none.
function M.text(value)
  return type(value) == "string" and value or nil
end

-- The one value of a key: nil without any, false if there are several (or an empty list).
function M.one(value)
  if type(value) ~= "table" then
    return value
  end
  return #value == 1 and value[1] or false
end

-- Whether one of a key's values satisfies the test (negated: one does not). missing: the answer for a key without value.
function M.any(value, test, negated, missing, q, a, r, P, p, c)
  if value == nil then
    return missing
  end
  if type(value) ~= "table" then
    return (not test(q, a, r, P, p, c, value)) == negated
  end
  for i = 1, #value do
    if (not test(q, a, r, P, p, c, value[i])) == negated then
      return true
    end
  end
  return false
end

-- Whether every one of a key's values satisfies the test; a key without value, and a single blank one, count as an empty set.
function M.all(value, test, negated, q, a, r, P, p, c)
  if value == nil or value == "" then
    return true
  end
  if type(value) ~= "table" then
    return (not test(q, a, r, P, p, c, value)) == negated
  end
  if #value == 1 and value[1] == "" then
    return true
  end
  for i = 1, #value do
    if (not test(q, a, r, P, p, c, value[i])) ~= negated then
      return false
    end
  end
  return true
end

-- Who asks. Anonymous callers are named by nothing but "*", which needs no question.

local function is_known(P)
  return P.arn ~= "" and P.type ~= "Anonymous"
end

function M.is(P, name)
  if not is_known(P) then
    return false
  end
  return P.arn == name or P.userid == name or (P.role_arn ~= "" and (P.role_arn == name or P.role_id == name))
end

function M.is_any(P, names)
  if not is_known(P) then
    return false
  end
  return names[P.arn] or names[P.userid] or (P.role_arn ~= "" and (names[P.role_arn] or names[P.role_id])) or false
end

function M.of(P, account)
  return is_known(P) and P.account == account
end

function M.of_any(P, accounts)
  return is_known(P) and accounts[P.account] or false
end

function M.is_root_of(P, account)
  return P.type == "Account" and M.of(P, account)
end

function M.is_root_of_any(P, accounts)
  return P.type == "Account" and M.of_any(P, accounts)
end

-- The evaluator of a compiled text, nil if it cannot be loaded. Under a short name, because Lua keeps a chunk's name as long as the chunk, and without
-- its debug information.
function M.load(text, name)
  local chunk = loadstring(text, "=" .. (name or "policy"))
  chunk = chunk and loadstring(string.dump(chunk, true))
  if not chunk then
    return nil
  end
  local loaded, make = pcall(chunk)
  if not loaded or type(make) ~= "function" then
    return nil
  end
  return make(M)
end

return M
