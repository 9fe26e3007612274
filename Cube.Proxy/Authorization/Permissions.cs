using System.ComponentModel;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Cube.Authorization;
using Cube.Authorization.Relationships;
using Cube.Proxy.Caching;
using Cube.ServiceDefaults.Errors;
using Microsoft.Extensions.Caching.Hybrid;

namespace Cube.Proxy.Authorization;

/// <summary>
/// What a caller may do in a domain, and with which of its models: asked of the authorization engine once, whoever else asks meanwhile,
/// and kept for seconds. A personal access token may do what its owner may and its scopes name.
/// </summary>
internal sealed class Permissions
{
    private const int MaxModelId = 256;

    private readonly HybridCache _cache;
    private readonly IAuthorizationEngine _engine;
    private readonly Counter<long> _checks;

    public Permissions(HybridCache cache, IAuthorizationEngine engine, IMeterFactory meters)
    {
        (_cache, _engine) = (cache, engine);
        _checks = meters.Create("Cube.Proxy").CreateCounter<long>(
            "cube.proxy.authorization.checks", "{check}", "Questions to the authorization engine: what was not in the cache.");
    }

    /// <exception cref="UnavailableException">The engine does not answer.</exception>
    public ValueTask<Access> FindAsync(DomainMember member, string action, CancellationToken ct) => _cache.GetOrCreateAsync(
        $"access/{member.Caller.CredentialId:N}/{member.DomainId:N}/{action}",
        (Permissions: this, Member: member, Action: action, Activity.Current),
        static async (state, token) =>
        {
            Activity.Current = state.Current;
            return await state.Permissions.AskAsync(state.Member, state.Action, token);
        },
        DecisionCache.Age,
        DecisionCache.TagsOf(member.Caller.UserId, member.DomainId),
        ct);

    /// <summary>May he do it with this model? Asked of the engine only where his role or his token is narrowed to named models.</summary>
    /// <inheritdoc cref="FindAsync" path="/exception"/>
    public ValueTask<ModelAccess> FindAsync(DomainMember member, string action, string model, Access access, CancellationToken ct) =>
        !access.IsAllowed ? new(ModelAccess.None)
        : access is { RoleHasAllModels: true, TokenHasAllModels: true } ? new(ModelAccess.Full)
        // No model has such an id, and no object of the engine.
        : model.Length > MaxModelId ? new(new ModelAccess(access.RoleHasAllModels, access.TokenHasAllModels))
        : _cache.GetOrCreateAsync(
            $"model/{member.Caller.CredentialId:N}/{member.DomainId:N}/{action}/{model}",
            (Permissions: this, Member: member, Action: action, Model: model, Access: access, Activity.Current),
            static async (state, token) =>
            {
                Activity.Current = state.Current;
                return (await state.Permissions.AskAsync(state.Member, state.Action, [state.Model], state.Access, token))[0];
            },
            DecisionCache.Age,
            DecisionCache.TagsOf(member.Caller.UserId, member.DomainId),
            ct);

    /// <summary>The same of many models, in one question.</summary>
    /// <inheritdoc cref="FindAsync" path="/exception"/>
    public async ValueTask<ModelAccess[]> FindAsync(
        DomainMember member, string action, IReadOnlyList<string> models, Access access, CancellationToken ct) =>
        access is { RoleHasAllModels: true, TokenHasAllModels: true } || models.Count == 0
            ? [.. models.Select(static _ => ModelAccess.Full)]
            : await AskAsync(member, action, models, access, ct);

    private async Task<Access> AskAsync(DomainMember member, string action, CancellationToken ct)
    {
        var (user, place) = (CubeSchema.User(member.Caller.UserId), CubeSchema.Domain(member.DomainId));
        List<PermissionCheck> questions = [new(place, CubeSchema.Permission(action), user), new(place, CubeSchema.UseModels, user)];
        if (member.Caller.PatId is { } pat)
        {
            questions.Add(new(CubeSchema.Token(pat), CubeSchema.Scope(action), new SubjectRef(place)));
        }

        _checks.Add(1);
        var answers = await _engine.CheckAsync(questions, ct);
        return new Access(answers[0], answers[1], member.Caller.PatId is null || answers[2]);
    }

    private async Task<ModelAccess[]> AskAsync(
        DomainMember member, string action, IReadOnlyList<string> models, Access access, CancellationToken ct)
    {
        var user = CubeSchema.User(member.Caller.UserId);
        var questions = new List<PermissionCheck>(2 * models.Count);
        foreach (var model in models)
        {
            var place = CubeSchema.Model(member.DomainId, model);
            questions.Add(new(place, CubeSchema.UseModel, user));
            if (member.Caller.PatId is { } pat)
            {
                questions.Add(new(CubeSchema.Token(pat), CubeSchema.Scope(action), new SubjectRef(place)));
            }
        }

        _checks.Add(1);
        var answers = await _engine.CheckAsync(questions, ct);
        var step = member.Caller.PatId is null ? 1 : 2;
        return
        [
            .. models.Select((_, i) => new ModelAccess(
                access.RoleHasAllModels || answers[i * step], access.TokenHasAllModels || (step == 2 && answers[(i * step) + 1]))),
        ];
    }
}

/// <param name="IsAllowed">The action itself.</param>
/// <param name="RoleHasAllModels">The caller's role is not narrowed to named models.</param>
/// <param name="TokenHasAllModels">A scope of the token has the action for the domain and all its models; true for logins.</param>
[ImmutableObject(true)]
internal sealed record Access(bool IsAllowed, bool RoleHasAllModels, bool TokenHasAllModels)
{
    /// <summary>Whether the token's scopes reach the domain, or one of the models that a list would have.</summary>
    public bool Reaches(IReadOnlyCollection<ModelAccess> models) => TokenHasAllModels || models.Any(static model => model.ByToken);
}

/// <param name="ByRole">His role uses the model.</param>
/// <param name="ByToken">His token reaches it.</param>
[ImmutableObject(true)]
internal sealed record ModelAccess(bool ByRole, bool ByToken)
{
    public static ModelAccess Full { get; } = new(true, true);

    public static ModelAccess None { get; } = new(false, false);

    public bool IsAllowed => ByRole && ByToken;
}
