using System.Diagnostics.Metrics;
using Cube.Authorization;
using Cube.Authorization.Relationships;
using Cube.Proxy.Caching;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Authorization;

/// <summary>
/// Checks which actions a caller may perform in a domain, and with which models. Concurrent checks share one call of the authorization engine, and results are cached for a few seconds. A personal access token allows
/// an action only if both its owner's role and its scopes allow it.
/// </summary>
internal sealed class Permissions
{
    private const int MaxModelId = 256;

    private readonly DecisionCache _cache;
    private readonly IAuthorizationEngine _engine;
    private readonly Counter<long> _checks;

    public Permissions(DecisionCache cache, IAuthorizationEngine engine, IMeterFactory meters)
    {
        (_cache, _engine) = (cache, engine);
        _checks = meters.Create("Cube.Proxy").CreateCounter<long>(
            "cube.proxy.authorization.checks", "{check}", "Calls of the authorization engine. Cached decisions are not counted.");
    }

    /// <exception cref="UnavailableException">The engine does not answer.</exception>
    public ValueTask<Access> FindAsync(DomainMember member, string action, CancellationToken ct) => _cache.GetAsync(
        new DecisionKey(DecisionKind.Action, member.Caller.UserId, member.Caller.CredentialId, member.DomainId, action),
        (Permissions: this, Member: member, Action: action),
        static (state, token) => state.Permissions.CheckAsync(state.Member, state.Action, token),
        ct);

    /// <summary>Checks an action with one model. The engine is called only if the role or the token is limited to named models.</summary>
    /// <inheritdoc cref="FindAsync" path="/exception"/>
    public ValueTask<ModelAccess> FindAsync(DomainMember member, string action, string model, Access access, CancellationToken ct) =>
        !access.IsAllowed ? new(ModelAccess.None)
        : access is { RoleHasAllModels: true, TokenHasAllModels: true } ? new(ModelAccess.Full)
        // No model and no object of the engine has an id of this length.
        : model.Length > MaxModelId ? new(new ModelAccess(access.RoleHasAllModels, access.TokenHasAllModels))
        : new(FindLimitedAsync(member, action, model, access, ct));

    /// <summary>As the other method, but without the cache: for names that clients made up.</summary>
    /// <inheritdoc cref="FindAsync(DomainMember, string, CancellationToken)" path="/exception"/>
    public async ValueTask<ModelAccess> FindUncachedAsync(DomainMember member, string action, string model, Access access, CancellationToken ct) =>
        !access.IsAllowed ? ModelAccess.None
        // No model and no object of the engine has an id of this length.
        : model.Length > MaxModelId ? new ModelAccess(access.RoleHasAllModels, access.TokenHasAllModels)
        : (await FindAsync(member, action, [model], access, ct))[0];

    /// <summary>The cached result does not contain <paramref name="access"/>: that was decided before the body arrived, and could be older than the last notification.</summary>
    private async Task<ModelAccess> FindLimitedAsync(DomainMember member, string action, string model, Access access, CancellationToken ct)
    {
        var named = await _cache.GetAsync(
            new DecisionKey(DecisionKind.Model, member.Caller.UserId, member.Caller.CredentialId, member.DomainId, action, model),
            (Permissions: this, Member: member, Action: action, Model: model),
            static async (state, token) => (await state.Permissions.CheckAsync(state.Member, state.Action, [state.Model], token))[0],
            ct);
        return With(named, access);
    }

    /// <summary>A role or a token without a limit allows every model.</summary>
    private static ModelAccess With(ModelAccess named, Access access) => new(access.RoleHasAllModels || named.ByRole, access.TokenHasAllModels || named.ByToken);

    /// <summary>Checks an action with several models, in one call of the engine.</summary>
    /// <inheritdoc cref="FindAsync" path="/exception"/>
    public async ValueTask<ModelAccess[]> FindAsync(
        DomainMember member, string action, IReadOnlyList<string> models, Access access, CancellationToken ct) =>
        access is { RoleHasAllModels: true, TokenHasAllModels: true } || models.Count == 0
            ? [.. models.Select(static _ => ModelAccess.Full)]
            : [.. (await CheckAsync(member, action, models, ct)).Select(named => With(named, access))];

    private async Task<Access> CheckAsync(DomainMember member, string action, CancellationToken ct)
    {
        var (user, resource) = (CubeSchema.User(member.Caller.UserId), CubeSchema.Domain(member.DomainId));
        List<PermissionCheck> checks = [new(resource, CubeSchema.Permission(action), user), new(resource, CubeSchema.UseModels, user)];
        if (member.Caller.PatId is { } pat)
        {
            checks.Add(new(CubeSchema.Token(pat), CubeSchema.Scope(action), new SubjectRef(resource)));
        }

        _checks.Add(1);
        var results = await _engine.CheckAsync(checks, ct);
        return new Access(results[0], results[1], member.Caller.PatId is null || results[2]);
    }

    /// <summary>Asks the engine whether the role and the token name the models.</summary>
    private async Task<ModelAccess[]> CheckAsync(DomainMember member, string action, IReadOnlyList<string> models, CancellationToken ct)
    {
        var user = CubeSchema.User(member.Caller.UserId);
        var checks = new List<PermissionCheck>(2 * models.Count);
        foreach (var model in models)
        {
            var resource = CubeSchema.Model(member.DomainId, model);
            checks.Add(new(resource, CubeSchema.UseModel, user));
            if (member.Caller.PatId is { } pat)
            {
                checks.Add(new(CubeSchema.Token(pat), CubeSchema.Scope(action), new SubjectRef(resource)));
            }
        }

        _checks.Add(1);
        var results = await _engine.CheckAsync(checks, ct);
        var step = member.Caller.PatId is null ? 1 : 2;
        return
        [
            .. models.Select((_, i) => new ModelAccess(results[i * step], step == 2 && results[(i * step) + 1])),
        ];
    }
}

/// <summary>The result of a check of an action in a domain.</summary>
/// <param name="IsAllowed">Whether the caller's role allows the action.</param>
/// <param name="RoleHasAllModels">Whether the role is not limited to named models.</param>
/// <param name="TokenHasAllModels">Whether a scope of the personal access token allows the action for all models of the domain; true for access tokens.</param>
internal sealed record Access(bool IsAllowed, bool RoleHasAllModels, bool TokenHasAllModels)
{
    /// <summary>Whether the scopes of the token allow the action for the whole domain or for one of the models.</summary>
    public bool TokenAllowsAny(IReadOnlyCollection<ModelAccess> models) => TokenHasAllModels || models.Any(static model => model.ByToken);
}

/// <summary>The result of a check of an action with a model.</summary>
/// <param name="ByRole">Whether the caller's role allows the model.</param>
/// <param name="ByToken">Whether the token allows the action with the model; true for access tokens.</param>
internal sealed record ModelAccess(bool ByRole, bool ByToken)
{
    public static ModelAccess Full { get; } = new(true, true);

    public static ModelAccess None { get; } = new(false, false);

    public bool IsAllowed => ByRole && ByToken;
}
