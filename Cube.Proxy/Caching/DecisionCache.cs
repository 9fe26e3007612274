namespace Cube.Proxy.Caching;

/// <summary>The kinds of results in the cache.</summary>
internal enum DecisionKind
{
    PersonalAccessToken,
    Membership,
    Action,
    Model,
}

/// <summary>A result that can change without a notification.</summary>
internal interface IBriefResult
{
    /// <summary>Whether the result is used for a few seconds only.</summary>
    bool IsBrief { get; }
}

/// <param name="Kind">What was decided.</param>
/// <param name="User">The user whose changes remove the result; empty if that is known only from the result.</param>
/// <param name="Credential">The session or the personal access token.</param>
/// <param name="Domain">The domain; empty for a token.</param>
/// <param name="Action">The action; empty for a membership. For a token, its hash.</param>
/// <param name="Model">The model's id; empty for an action.</param>
internal readonly record struct DecisionKey(DecisionKind Kind, Guid User, Guid Credential, Guid Domain, string Action = "", string Model = "");

/// <summary>
/// Results of Identity and of the authorization engine. Notifications of Identity remove results at once. Identity also confirms every second that it has sent all notifications. While the confirmations arrive, a result is
/// used for five minutes; otherwise for four seconds from the start of the call. In both cases no decision is older than five seconds when something has changed.
/// </summary>
internal sealed class DecisionCache(TimeProvider time) : ResultCache<DecisionKey>(time, _age)
{
    private static readonly TimeSpan _age = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan _confirmedAge = TimeSpan.FromMinutes(5);

    /// <summary>Identity confirms every second, and only if it needed less than a second for it. A change is therefore at most four seconds old when the results expire.</summary>
    private static readonly TimeSpan _maxSilence = TimeSpan.FromSeconds(3);
    private readonly TimeProvider _time = time;

    /// <summary>The time of the last confirmation; 0 without one since the connection for notifications was opened.</summary>
    private long _confirmedAt;

    /// <summary>A personal access token can expire without a notification, and Identity can reject the token of a session for other reasons than a change.</summary>
    protected override TimeSpan AgeOf(DecisionKey key, object? result) =>
        key.Kind != DecisionKind.PersonalAccessToken && result is not IBriefResult { IsBrief: true } && IsConfirmed ? _confirmedAge : _age;

    private bool IsConfirmed => Interlocked.Read(ref _confirmedAt) is not 0 and var confirmedAt && _time.GetElapsedTime(confirmedAt) < _maxSilence;

    /// <summary>Identity has sent the notifications of all changes until now. After a pause, results are removed: the confirmation could be late, and overtake a notification.</summary>
    public void Confirm()
    {
        if (!IsConfirmed)
        {
            Clear();
        }

        Interlocked.Exchange(ref _confirmedAt, _time.GetTimestamp());
    }

    /// <summary>Notifications can be lost: the connection is not open, or was opened just now. Removes all results.</summary>
    public void Reset()
    {
        Interlocked.Exchange(ref _confirmedAt, 0);
        Clear();
    }

    /// <summary>Removes the results about a user, and all personal access tokens, whose user is not known before the call.</summary>
    public void RemoveUser(Guid user) => RemoveAll(key => key.User == user || key.User == Guid.Empty);

    public void RemoveDomain(Guid domain) => RemoveAll(key => key.Domain == domain);
}
