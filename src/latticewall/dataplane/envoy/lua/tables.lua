-- What the proxy decides from: files that the control plane writes into one folder, a Lua chunk for each layer, identity and access key.
--
-- A page of shared memory carries a generation and the time (seconds since 1970) until which the tables may be used. As long as the generation stands still nothing is
-- looked at again; when it has moved, an entry is compared by its first line (the digest of its content) at its next use, and read anew only if that
-- differs. Whatever is missing, unreadable or broken is absent, and what is absent allows nothing.

local ffi = require("ffi")

local M = {}

ffi.cdef([[
int open(const char *path, int flags, ...);
int close(int descriptor);
void *mmap(void *address, size_t length, int protection, int flags, int descriptor, long offset);
]])

local PAGE = 4096
local READ_ONLY_CLOSE_ON_EXEC = 0x80000
local PROT_READ, MAP_SHARED = 1, 1
local MOST_ENTRIES = 50000
local LONGEST_NAME = 128
local BYTECODE = 27

local folder, library
local page -- volatile uint32_t[2]: generation, usable until
local generation = -1
local kinds = { networks = {}, services = {}, identities = {}, keys = {} }
local counts = { networks = 0, services = 0, identities = 0, keys = 0 }

-- Where the tables are, and what their chunks are given as argument (the run-time library of compiled policies).
function M.open(path, run_time)
  folder, library, page, generation = path, run_time, nil, -1
  for kind in pairs(kinds) do
    kinds[kind], counts[kind] = {}, 0
  end
end

local function map()
  local descriptor = ffi.C.open(folder .. "/generation", READ_ONLY_CLOSE_ON_EXEC)
  if descriptor < 0 then
    return false
  end
  local memory = ffi.C.mmap(nil, PAGE, PROT_READ, MAP_SHARED, descriptor, 0)
  ffi.C.close(descriptor)
  if ffi.cast("intptr_t", memory) == -1 then
    return false
  end
  page = ffi.cast("const volatile uint32_t *", memory)
  return true
end

-- Whether the tables are there and not past their life; to be called once at the start of every request, now: seconds since 1970.
function M.usable(now)
  if page == nil and not map() then
    return false
  end
  generation = page[0]
  return now < page[1]
end

local function is_name(text)
  local length = #text
  if length == 0 or length > LONGEST_NAME then
    return false
  end
  for index = 1, length do
    local byte = text:byte(index)
    local is_digit = byte >= 48 and byte <= 57
    local is_letter = (byte >= 65 and byte <= 90) or (byte >= 97 and byte <= 122)
    if not (is_digit or is_letter or byte == 45) then
      return false
    end
  end
  return true
end

local function forget(kind, name)
  if kinds[kind][name] then
    kinds[kind][name] = nil
    counts[kind] = counts[kind] - 1
  end
end

local function load_value(text, name)
  if text == nil or text:byte(1) == BYTECODE then
    return nil
  end
  local chunk = loadstring(text, "=" .. name)
  chunk = chunk and loadstring(string.dump(chunk, true)) -- without what only a debugger needs
  if chunk == nil then
    return nil
  end
  local loaded, value = pcall(chunk, library)
  if loaded and type(value) == "table" and next(value) ~= nil then
    return value
  end
  return nil
end

local function read(kind, name, entry)
  local file = is_name(name) and io.open(folder .. "/" .. kind .. "/" .. name, "rb")
  if not file then
    forget(kind, name)
    return nil
  end
  local version = file:read("*l")
  if entry and entry.version == version then
    file:close()
    entry.seen = generation
    return entry.value
  end
  local value = load_value(file:read("*a"), name)
  file:close()
  forget(kind, name)
  if value == nil then
    return nil
  end
  if counts[kind] >= MOST_ENTRIES then
    kinds[kind], counts[kind] = {}, 0
  end
  kinds[kind][name] = { version = version, value = value, seen = generation }
  counts[kind] = counts[kind] + 1
  return value
end

-- The table of that kind (networks, services, identities, keys) and name as it is now, nil when there is none.
function M.find(kind, name)
  local entry = kinds[kind][name]
  if entry and entry.seen == generation then
    return entry.value
  end
  return read(kind, name, entry)
end

return M
