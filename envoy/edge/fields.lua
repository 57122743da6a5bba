-- Refuses JSON bodies that hold a field the contract does not know: the transcoder would drop it in silence, and the caller would
-- believe it had been heard. `messages`, put before this by the generator, holds for each message the type of each field, under its
-- camelCase and its snake_case name: a message's name, `*name` for a map of messages, or `true` for a value without fields.

local byte, find, sub = string.byte, string.find, string.sub
local DEEPEST = 64
local value

-- Each of these takes the position of the first byte of what it reads and returns the position after it; or nil, the path of the
-- fault and what is wrong there.

local function skip_space(text, at)
  local first = byte(text, at)
  if first and first > 32 then return at end
  return (select(2, find(text, "^[ \n\r\t]*", at))) + 1
end

local function skip_string(text, at)
  at = at + 1
  while true do
    local mark = find(text, '["\\]', at)
    if not mark then return nil, "", "is not valid JSON: a text does not end" end
    if byte(text, mark) == 34 then return mark + 1 end
    at = mark + 2
  end
end

local function object(text, at, kind, depth)
  local fields, every
  if type(kind) == "string" then
    if byte(kind) == 42 then every = sub(kind, 2) else fields = messages[kind] end
  end
  at = skip_space(text, at + 1)
  if byte(text, at) == 125 then return at + 1 end
  while true do
    if byte(text, at) ~= 34 then return nil, "", "is not valid JSON: a field name in double quotes is expected" end
    local after, where, fault = skip_string(text, at)
    if not after then return nil, where, fault end
    local name = sub(text, at + 1, after - 2)
    local inner = every or true
    if fields then
      inner = fields[name]
      if not inner then return nil, "." .. name, "there is no such field" end
    end
    at = skip_space(text, after)
    if byte(text, at) ~= 58 then return nil, "." .. name, "is not valid JSON: a colon is expected" end
    at, where, fault = value(text, skip_space(text, at + 1), inner, depth)
    if not at then return nil, "." .. name .. where, fault end
    at = skip_space(text, at)
    local mark = byte(text, at)
    if mark == 125 then return at + 1 end
    if mark ~= 44 then return nil, "." .. name, "is not valid JSON: a comma or closing brace is expected after it" end
    at = skip_space(text, at + 1)
  end
end

local function array(text, at, kind, depth)
  at = skip_space(text, at + 1)
  if byte(text, at) == 93 then return at + 1 end
  local index = 0
  while true do
    local where, fault
    at, where, fault = value(text, at, kind, depth)
    if not at then return nil, "[" .. index .. "]" .. where, fault end
    at = skip_space(text, at)
    local mark = byte(text, at)
    if mark == 93 then return at + 1 end
    if mark ~= 44 then return nil, "[" .. index .. "]", "is not valid JSON: a comma or closing bracket is expected after it" end
    at = skip_space(text, at + 1)
    index = index + 1
  end
end

function value(text, at, kind, depth)
  local first = byte(text, at)
  if first == 34 then return skip_string(text, at) end
  if first == 123 or first == 91 then
    if depth == DEEPEST then return nil, "", "is nested too deeply" end
    if first == 123 then return object(text, at, kind, depth + 1) end
    return array(text, at, kind, depth + 1)
  end
  local _, last = find(text, "^[-+.%w]+", at)
  if not last then return nil, "", "is not valid JSON: a value is expected" end
  return last + 1
end

-- Returns nil when `text` is JSON that holds only fields of `kind`; otherwise the path of the fault and what is wrong there.
function fault_in(text, kind)
  local at = skip_space(text, 1)
  if at > #text then return nil end
  local after, where, fault = value(text, at, kind, 0)
  if after and skip_space(text, after) <= #text then after, where, fault = nil, "", "is not valid JSON: something follows its end" end
  if after then return nil end
  if where == "" then return "body", fault end
  return (where:gsub("^%.", "")), fault
end

function envoy_on_request(request)
  local kind = request:filterContext():get("message")
  if not kind then return end
  local body = request:body()
  if not body then return end
  local where, fault = fault_in(body:getBytes(0, body:length()), kind)
  if not where then return end
  where = sub(where, 1, 200)
  local metadata = request:streamInfo():dynamicMetadata()
  metadata:set("paideia.edge", "field", where)
  metadata:set("paideia.edge", "fault", fault)
  request:respond({ [":status"] = "400" }, where .. ": " .. fault)
end
