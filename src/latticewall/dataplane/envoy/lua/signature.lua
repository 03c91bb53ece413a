-- The parts of a signature as a request carries them, in the Authorization header or in the query. The same as auth/signature.py, texts included.
--
-- A claim is what a request says about its signature: algorithm, key_id, day, region (nil in SigV4A), service, terminator, names (signed headers, in
-- order), value. It holds nothing that changes from one request of a client to the next but `value`, `date`, `token`, `expires` and `region_set`, which only
-- a claim from a query has, so that a claim from a header can be kept and used again.

local decoded = require("latticewall.octets").decoded
local byte_at, sub = string.byte, string.sub
local floor = math.floor

local M = {}

M.HMAC, M.ECDSA = "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"
M.TERMINATOR = "aws4_request"

local LONGEST_EXPIRY = 604800
local LONGEST_AUTHORIZATION = 8192
local MOST_NAMES = 100
local PAYLOAD = "UNSIGNED-PAYLOAD"
local EARLIEST, LATEST = -62135596800, 253402300799 -- years 1 to 9999

local MISMATCH = "InvalidSignatureException: The request signature we calculated does not match the signature you provided. "
  .. "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

function M.mismatch(text)
  return text and "InvalidSignatureException: " .. text or MISMATCH
end

function M.incomplete(text)
  return "IncompleteSignatureException: " .. text
end

local incomplete = M.incomplete

-- A header's value without spaces and tabs around it.
function M.trimmed(value)
  local first, last = byte_at(value, 1), byte_at(value, -1)
  if first == 32 or first == 9 or last == 32 or last == 9 then
    return (value:gsub("^[ \t]+", ""):gsub("[ \t]+$", ""))
  end
  return value
end

local trimmed = M.trimmed

local function first_of(head, name)
  local value = head.by[name]
  return value and trimmed(value)
end

-- Days from 1970-01-01 to a day of the Gregorian calendar, and back.
local function days_of(year, month, day)
  if month <= 2 then
    year, month = year - 1, month + 12
  end
  return 365 * year + floor(year / 4) - floor(year / 100) + floor(year / 400) + floor((153 * month - 457) / 5) + day - 719469
end

local function date_of(days)
  local shifted = days + 719468
  local era = floor(shifted / 146097)
  local of_era = shifted - era * 146097
  local year = floor((of_era - floor(of_era / 1460) + floor(of_era / 36524) - floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + floor(year / 4) - floor(year / 100))
  local part = floor((5 * of_year + 2) / 153)
  local month = part < 10 and part + 3 or part - 9
  return year + era * 400 + (month <= 2 and 1 or 0), month, of_year - floor((153 * part + 2) / 5) + 1
end

-- 20260102T030405Z, of epoch seconds.
function M.stamp(moment)
  local year, month, day = date_of(floor(moment / 86400))
  local second = moment % 86400
  return string.format("%04d%02d%02dT%02d%02d%02dZ", year, month, day, floor(second / 3600), floor(second / 60) % 60, second % 60)
end

local LENGTHS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function epoch_of(year, month, day, hour, minute, second)
  if year < 1 or month < 1 or month > 12 or day < 1 or hour > 23 or minute > 59 or second > 59 then
    return nil
  end
  local leap = month == 2 and year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  if day > LENGTHS[month] + (leap and 1 or 0) then
    return nil
  end
  return days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
end

local function number_at(text, first, last)
  local number = 0
  for index = first, last do
    local digit = byte_at(text, index) - 48
    if digit < 0 or digit > 9 then
      return nil
    end
    number = number * 10 + digit
  end
  return number
end

-- The epoch seconds of 20260102T030405Z, nil for anything else; and the day as a number, 20260102.
function M.read_basic(text)
  if #text ~= 16 or byte_at(text, 9) ~= 84 or byte_at(text, 16) ~= 90 then
    return nil
  end
  local day, time = number_at(text, 1, 8), number_at(text, 10, 15)
  if not day or not time then
    return nil
  end
  local moment = epoch_of(floor(day / 10000), floor(day / 100) % 100, day % 100, floor(time / 10000), floor(time / 100) % 100, time % 100)
  return moment, day
end

local MONTHS = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12 }
local DAYS = { Mon = true, Tue = true, Wed = true, Thu = true, Fri = true, Sat = true, Sun = true }

local function read_internet(text)
  local name, day, month, year, hour, minute, second, zone = text:match("^(%a%a%a), (%d%d?) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) ([%w+-]+)$")
  if not name or not DAYS[name] or not MONTHS[month] then
    return nil
  end
  local sign, zone_hour, zone_minute = zone:match("^([+-])(%d%d)(%d%d)$")
  if not sign and zone ~= "GMT" and zone ~= "UTC" then
    return nil
  end
  local offset = 0
  if sign then
    if tonumber(zone_hour) > 23 or tonumber(zone_minute) > 59 then
      return nil
    end
    offset = (zone_hour * 3600 + zone_minute * 60) * (sign == "-" and -1 or 1)
  end
  local moment = epoch_of(tonumber(year), MONTHS[month], tonumber(day), tonumber(hour), tonumber(minute), tonumber(second))
  return moment and moment - offset
end

-- The epoch seconds of a date as clients send it: ISO 8601, basic or extended, or RFC 1123. nil for anything else.
function M.read_date(text)
  local moment = M.read_basic(text)
  if moment == nil then
    local year, month, day, time = text:match("^(%d%d%d%d)-(%d%d)-(%d%dT)(%d%d:%d%d:%d%dZ)$")
    if year then
      moment = M.read_basic(year .. month .. day .. time:gsub(":", ""))
    else
      moment = read_internet(text)
    end
  end
  if moment and (moment < EARLIEST or moment > LATEST) then
    return nil
  end
  return moment
end

-- What a canonical request ends with: after the headers an empty line, their names and the payload's line.
function M.tail(names, payload)
  return "\n" .. names .. "\n" .. payload
end

-- What follows from a list of signed headers: fault is the refusal to give when it is not ascending, unique, lower-case and with host; pseudo is its
-- first name that no header of HTTP/1.1 can have.
function M.read_names(text)
  local names, labels, signed = {}, {}, {}
  local list = { text = text, tail = M.tail(text, PAYLOAD), names = names, labels = labels, signed = signed, fault = nil, pseudo = nil }
  for name in (text .. ";"):gmatch("([^;]*);") do
    if #names >= MOST_NAMES then
      list.fault = incomplete("SignedHeaders names more than " .. MOST_NAMES .. " headers.")
      return list
    end
    if name:find("[A-Z\128-\255]") or (#names > 0 and names[#names] >= name) then
      list.fault = list.fault or MISMATCH
    end
    if byte_at(name, 1) == 58 and name ~= ":authority" then
      list.pseudo = list.pseudo or name
    end
    names[#names + 1], labels[#labels + 1], signed[name] = name, name .. ":", true
  end
  if not list.fault and not signed["host"] and not signed[":authority"] then
    list.fault = M.mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
  end
  return list
end

local EXAMPLE = {
  [M.HMAC] = { 5, "keyid/date/region/service/term" },
  [M.ECDSA] = { 4, "keyid/date/service/term" },
}

local function new_claim(algorithm, credential, names, value)
  local elements = {}
  for element in (credential .. "/"):gmatch("([^/]*)/") do
    elements[#elements + 1] = element
    if #elements > 5 then
      break
    end
  end
  local wanted, example = EXAMPLE[algorithm][1], EXAMPLE[algorithm][2]
  if #elements ~= wanted then
    return nil, incomplete("Credential must have exactly " .. wanted .. " slash-delimited elements, e.g. " .. example .. ", got '" .. credential .. "'")
  end
  local region = algorithm == M.HMAC and elements[3] or nil
  local day = elements[2]
  return {
    algorithm = algorithm,
    key_id = elements[1],
    day = day,
    day_number = #day == 8 and number_at(day, 1, 8) or -1,
    region = region,
    service = elements[wanted - 1],
    terminator = elements[wanted],
    scope = sub(credential, #elements[1] + 2),
    signing = region and day .. "/" .. region,
    names = names,
    value = value,
  }
end

local function is_algorithm(text)
  return text == M.HMAC or text == M.ECDSA
end

-- The claim in the Authorization header and the epoch seconds of its date, or nil and the text of the refusal. names_of: as read_names.
function M.from_header(head, names_of)
  local authorization = first_of(head, "authorization")
  if #authorization > LONGEST_AUTHORIZATION then
    return nil, incomplete("The Authorization header is longer than " .. LONGEST_AUTHORIZATION .. " bytes.")
  end
  local space = authorization:find(" ", 1, true) or #authorization + 1
  local algorithm = sub(authorization, 1, space - 1)
  if not is_algorithm(algorithm) then
    return nil, incomplete("Unsupported AWS 'algorithm': '" .. algorithm .. "'.")
  end
  local parts, last = {}, nil
  for item in (sub(authorization, space + 1) .. ","):gmatch("([^,]*),") do
    local part = trimmed(item)
    local equals = part:find("=", 1, true)
    local name = sub(part, 1, equals and equals - 1)
    if not equals then
      return nil, incomplete("'" .. name .. "' not a valid key=value pair (missing equal-sign) in Authorization header: '" .. algorithm .. "'.")
    elseif parts[name] then
      return nil, incomplete("Authorization header has more than one '" .. name .. "' parameter.")
    end
    parts[name], last = sub(part, equals + 1), name
  end
  local missing = ""
  for _, name in ipairs({ "Credential", "Signature", "SignedHeaders" }) do
    if (parts[name] or "") == "" then
      missing = missing .. "Authorization header requires '" .. name .. "' parameter. "
    end
  end
  local date = first_of(head, "x-amz-date")
  date = date ~= "" and date or first_of(head, "date")
  if (date or "") == "" then
    missing = missing .. "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
  end
  if algorithm == M.ECDSA and (first_of(head, "x-amz-region-set") or "") == "" then
    missing = missing .. "Authorization header requires existence of a 'X-Amz-Region-Set' header. "
  end
  if missing ~= "" then
    return nil, incomplete(missing .. "Authorization=" .. algorithm)
  end
  local moment = M.read_date(date)
  if not moment then
    return nil, incomplete("Date must be in ISO-8601 'basic format'. Got '" .. date .. "'. See http://en.wikipedia.org/wiki/ISO_8601")
  end
  local claim, text = new_claim(algorithm, parts.Credential, names_of(parts.SignedHeaders), parts.Signature)
  if not claim then
    return nil, text
  end
  claim.ends_with_value = last == "Signature" and #claim.value == 64 and sub(head.by.authorization, -64) == claim.value
  return claim, moment
end

local ONCE = { "Algorithm", "Credential", "Date", "SignedHeaders", "Expires", "Security-Token", "Signature", "Region-Set" }

local function parameters_of(query)
  local given, count = {}, {}
  for pair in query:gmatch("[^&]+") do
    local equals = pair:find("=", 1, true) or #pair + 1
    local name = decoded(sub(pair, 1, equals - 1))
    given[name] = given[name] or decoded(sub(pair, equals + 1))
    count[name] = (count[name] or 0) + 1
  end
  return given, count
end

-- The same of a request that is signed in its query (a target's text after the question mark).
function M.from_query(head, query, names_of)
  local parameters, count = parameters_of(query)
  local given = {}
  for _, name in ipairs(ONCE) do
    if (count["X-Amz-" .. name] or 0) > 1 then
      return nil, incomplete("The request has more than one 'X-Amz-" .. name .. "' parameter.")
    end
    given[name] = parameters["X-Amz-" .. name] or ""
  end
  if not is_algorithm(given.Algorithm) then
    return nil, incomplete("Unsupported AWS 'algorithm': '" .. given.Algorithm .. "'.")
  end
  local missing = ""
  for _, name in ipairs({ "Credential", "Signature", "SignedHeaders", "Date" }) do
    if given[name] == "" then
      missing = missing .. "AWS query-string parameters must include 'X-Amz-" .. name .. "'. "
    end
  end
  if given.Algorithm == M.ECDSA and given["Region-Set"] == "" then
    missing = missing .. "AWS query-string parameters must include 'X-Amz-Region-Set'. "
  end
  if missing ~= "" then
    return nil, incomplete(missing .. "Re-examine the query-string parameters.")
  end
  local seconds = #given.Expires <= 6 and given.Expires:find("^%d+$") and tonumber(given.Expires) or 0
  if seconds < 1 or seconds > LONGEST_EXPIRY then
    return nil, incomplete("X-Amz-Expires must be a number of seconds from 1 to " .. LONGEST_EXPIRY .. ", got '" .. given.Expires .. "'.")
  end
  local moment = M.read_date(given.Date)
  if not moment then
    return nil, incomplete("Date must be in ISO-8601 'basic format'. Got '" .. given.Date .. "'. See http://en.wikipedia.org/wiki/ISO_8601")
  end
  local claim, text = new_claim(given.Algorithm, given.Credential, names_of(given.SignedHeaders), given.Signature)
  if not claim then
    return nil, text
  end
  claim.expires, claim.region_set = seconds, given["Region-Set"]
  claim.token = given["Security-Token"] ~= "" and given["Security-Token"] or nil
  return claim, moment
end

return M
