-- Answers browsers that ask from an organization's own pages. Which origins those are, identity knows, and is asked through the proxy's
-- own listener; each worker remembers the answers for a while, and longer when identity cannot be asked. The origins in the proxy's settings
-- are the CORS filter's business.

local FAILED_SECONDS, TIMEOUT_MS = 1, 1000
-- Made-up origins must not become a flood of questions.
local MOST_KNOWN, MOST_QUESTIONS_A_SECOND = 5000, 50
local known, known_count = {}, 0
local second, questions = 0, 0

-- Returns the organizations that allow the origin; those told before if identity does not tell now.
local function ask(handle, origin)
  local entry = known[origin]
  local organizations = entry and entry.organizations or {}
  local now = os.time()
  if now ~= second then second, questions = now, 0 end
  questions = questions + 1
  if questions > MOST_QUESTIONS_A_SECOND then return organizations end
  local escaped = string.gsub(origin, "[^%w.-]", function(c) return string.format("%%%02X", string.byte(c)) end)
  local headers, body = handle:httpCall("jwks", {
    [":method"] = "GET",
    [":path"] = "/v1/origins:organizations?origin=" .. escaped,
    [":authority"] = "identity",
  }, nil, TIMEOUT_MS)
  local good = headers[":status"] == "200"
  if good then
    organizations = {}
    for each in string.gmatch(body or "", '"organizations/([a-z0-9-]+)"') do organizations[each] = true end
  end
  if known_count >= MOST_KNOWN then known, known_count = {}, 0 end
  if not known[origin] then known_count = known_count + 1 end
  known[origin] = {till = os.time() + (good and KNOWN_SECONDS or FAILED_SECONDS), organizations = organizations}
  return organizations
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local origin = headers:get("origin")
  if not origin or #origin > 253 then return end
  if not string.find(origin, "^https?://[a-z0-9.-]+:?%d*$") then return end
  local host = string.match(origin, "^https?://(.+)$")
  if host == headers:get(":authority") then return end
  -- Read now: what is asked below outlives the view of the headers.
  local preflight = headers:get(":method") == "OPTIONS" and headers:get("access-control-request-method")
  local entry = known[origin]
  local organizations = entry and entry.till > os.time() and entry.organizations or ask(handle, origin)
  if not next(organizations) then return end
  if preflight then
    handle:respond({
      [":status"] = "204",
      ["access-control-allow-origin"] = origin,
      ["access-control-allow-methods"] = ALLOW_METHODS,
      ["access-control-allow-headers"] = ALLOW_HEADERS,
      ["access-control-max-age"] = MAX_AGE,
      ["vary"] = "origin",
    })
    return
  end
  local list = {}
  for each in pairs(organizations) do list[#list + 1] = each end
  handle:streamInfo():dynamicMetadata():set("paideia.origins", "origin", origin)
  handle:streamInfo():dynamicMetadata():set("paideia.origins", "organizations", list)
end

function envoy_on_response(handle)
  local asked = handle:streamInfo():dynamicMetadata():get("paideia.origins")
  if not asked then return end
  local headers = handle:headers()
  headers:add("vary", "origin")
  -- Whoever has no token yet, as at sign-in, is answered; with one, its organization must be among those that allow the origin.
  local token = handle:streamInfo():dynamicMetadata():get("envoy.filters.http.jwt_authn")
  local allowed = not (token and token["payload"])
  for _, each in ipairs(asked["organizations"]) do
    allowed = allowed or each == token["payload"]["org"]
  end
  if allowed then
    headers:replace("access-control-allow-origin", asked["origin"])
    headers:replace("access-control-expose-headers", EXPOSE_HEADERS)
  end
end
