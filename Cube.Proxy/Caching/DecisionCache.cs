namespace Cube.Proxy.Caching;

/// <summary>The kinds of results in the cache.</summary>
internal enum DecisionKind
{
    PersonalAccessToken,
    Membership,
    Action,
    Model,
}

/// <param name="Kind">What was decided.</param>
/// <param name="User">The user whose changes remove the result; empty if that is known only from the result.</param>
/// <param name="Credential">The session or the personal access token.</param>
/// <param name="Domain">The domain; empty for a token.</param>
/// <param name="Action">The action; empty for a membership. For a token, its hash.</param>
/// <param name="Model">The model's id; empty for an action.</param>
internal readonly record struct DecisionKey(DecisionKind Kind, Guid User, Guid Credential, Guid Domain, string Action = "", string Model = "");

/// <summary>
/// Results of Identity and of the authorization engine, for four seconds from the start of the call, so that no decision is older than five seconds. Notifications of Identity remove results at once.
/// </summary>
internal sealed class DecisionCache(TimeProvider time) : ResultCache<DecisionKey>(time, TimeSpan.FromSeconds(4))
{
    /// <summary>Removes the results about a user, and all personal access tokens, whose user is not known before the call.</summary>
    public void RemoveUser(Guid user) => RemoveAll(key => key.User == user || key.User == Guid.Empty);

    public void RemoveDomain(Guid domain) => RemoveAll(key => key.Domain == domain);
}
