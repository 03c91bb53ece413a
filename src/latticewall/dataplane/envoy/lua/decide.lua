-- The decision of the Lattice data plane: every layer in force must allow, an explicit deny anywhere wins. The same as policy/lattice.py `decide_invoke`.
--
-- An evaluator is a function of the question that returns an outcome (0 nothing said, 1 allow, 2 explicit deny) and the number of the statement that brought it
-- about.

local M = {}

local NOTHING, ALLOW, DENY = 0, 1, 2

local outcomes, statements = {}, {}

local function ask(slot, evaluator, q)
  local outcome, statement = NOTHING, -1
  if evaluator then
    outcome, statement = evaluator(q)
  end
  outcomes[slot], statements[slot] = outcome, statement
  return outcome == DENY
end

-- Whether a request may reach the service: allowed, layer that denied (Network, Service, Identity), explicit, statement, part (the kind of policy of the layer).
-- network, service: layers. identity: nil for a caller that did not sign, else the tables of his identity and of his access key.
function M.invoke(q, network, service, identity, key)
  local by_network, by_service = network.auth ~= "NONE", service.auth ~= "NONE"
  if not by_network and not by_service then
    return true
  end
  if by_network and ask(1, network.policy, q) then
    return false, "Network", true, statements[1], "network-based policy"
  end
  if by_service and ask(2, service.policy, q) then
    return false, "Service", true, statements[2], "service-based policy"
  end
  local levels = 0
  if identity then
    levels = #identity.scp
    if ask(3, identity.identity, q) then
      return false, "Identity", true, statements[3], "identity-based policy"
    end
    for level = 1, levels do
      if ask(5 + level, identity.scp[level], q) then
        return false, "Identity", true, statements[5 + level], "service control policy"
      end
    end
    if identity.boundary and ask(4, identity.boundary, q) then
      return false, "Identity", true, statements[4], "permissions boundary"
    end
    if key.session and ask(5, key.session, q) then
      return false, "Identity", true, statements[5], "session policy"
    end
  end
  if by_network and outcomes[1] ~= ALLOW then
    return false, "Network", false, -1, "network-based policy"
  end
  if by_service and outcomes[2] ~= ALLOW then
    return false, "Service", false, -1, "service-based policy"
  end
  if not identity then
    return true
  end
  for level = 1, levels do
    if outcomes[5 + level] ~= ALLOW then
      return false, "Identity", false, -1, "service control policy"
    end
  end
  if identity.boundary and outcomes[4] ~= ALLOW then
    return false, "Identity", false, -1, "permissions boundary"
  end
  if key.session and outcomes[5] ~= ALLOW then
    return false, "Identity", false, -1, "session policy"
  end
  if outcomes[3] ~= ALLOW and key.principal.type ~= "Account" then
    return false, "Identity", false, -1, "identity-based policy"
  end
  return true
end

local NAMES = { Network = "network-based policy", Service = "service-based policy", Identity = "identity-based policy" }
local ARTICLES = { Network = "a ", Service = "a ", Identity = "an " }

-- The one-line body of the 403 answer.
function M.denial_text(who, action, resource, layer, explicit)
  local opening = "AccessDeniedException: User: " .. who .. " is not authorized to perform: " .. action .. " on resource: " .. resource
  if explicit then
    return opening .. " with an explicit deny in " .. ARTICLES[layer] .. NAMES[layer]
  end
  return opening .. " because no " .. NAMES[layer] .. " allows the " .. action .. " action"
end

return M
