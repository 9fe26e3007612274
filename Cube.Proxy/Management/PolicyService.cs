using System.Text;
using System.Text.Json;
using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Atls;
using Cube.Attestation.Policy;
using Cube.Attestation.Verdicts;
using Cube.Proxy.Attestation.Connections;
using Cube.Proxy.Configuration;
using Cube.Proxy.Configuration.Policies;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Management;

/// <summary>The operations on policies, for the scopes platform, domain and route: read, stage, dry-run, activate and deactivate. Also returns the verdicts on the machines of a scope.</summary>
internal sealed class PolicyService(PolicyStore store, ProxyConfigurationProvider configuration, BackendConnectionProvider backends, IOptions<PolicyOptions> options, TimeProvider time)
{
    /// <summary>Maximum size of a request body, in bytes.</summary>
    private const int MaxBody = PolicyJson.MaxBytes + 1024;
    private const string BodyTooLarge = "The body is larger than 257 KiB.";
    private const string NoSuchVersion = "The version does not exist.";

    /// <param name="State"><c>staged</c> (never active), <c>active</c> or <c>retired</c> (active before).</param>
    /// <param name="Policy">Null if the stored policy is not a JSON object.</param>
    /// <param name="Problem">Why the proxy cannot load the stored policy; else null.</param>
    internal sealed record PolicyView(
        string Scope, int Version, string State, JsonElement? Policy, DateTime CreatedAt, string CreatedBy, DateTime? ActivatedAt, string? ActivatedBy, string? Problem);

    /// <param name="Backend">The address of the machine for platform administrators; else a pseudonym, which is the same in every response.</param>
    /// <param name="State"><c>attested</c>, <c>refused</c> or <c>unreachable</c>.</param>
    /// <param name="TakesRequests">True if the connection accepts new requests.</param>
    internal sealed record BackendView(string Backend, string Scope, string State, bool TakesRequests, Verdict? Verdict);

    internal sealed record PolicyList(int Total, IReadOnlyList<PolicyView> Versions);

    /// <param name="Unreadable">Stored rows that the proxy cannot load, for platform administrators; else null.</param>
    internal sealed record BackendList(IReadOnlyList<BackendView> Backends, IReadOnlyList<UnreadableView>? Unreadable = null);

    internal sealed record UnreadableView(string Kind, string Name, string Problem);

    internal sealed record DryRunResult(int WouldRefuse, IReadOnlyList<TrialView> Backends);

    internal sealed record TrialView(string Backend, string Scope, bool WouldBeRefused, Verdict Verdict);

    public async Task<ApiResult> FindAsync(string scope, int? version, CancellationToken ct) => await store.FindAsync(scope, version, ct) is { } found
        ? ApiResult.Ok(View(found))
        : ApiResult.NotFound(version is null ? "This scope has no active policy." : NoSuchVersion);

    public async Task<ApiResult> ListAsync(string scope, CancellationToken ct)
    {
        var versions = await store.ListAsync(scope, ct);
        return ApiResult.Ok(new PolicyList(versions.Count, [.. versions.Select(View)]));
    }

    /// <summary>Stores a new, inactive version. The body is a policy, or a policy file of Cube's earlier Go implementation, which is converted.</summary>
    public async Task<ApiResult> StageAsync(string scope, HttpRequest request, string user)
    {
        var ct = request.HttpContext.RequestAborted;
        if (await ApiBody.ReadAsync(request, MaxBody) is not { } body)
        {
            return ApiResult.BadRequest(BodyTooLarge);
        }

        try
        {
            return ApiResult.Created(View(await store.StageAsync(scope, Normalize(body), user, ct)));
        }
        catch (PolicyException exception)
        {
            return ApiResult.BadRequest(exception.Message);
        }
    }

    /// <summary>Activates a version, and responds when this proxy uses it. The other proxies use it within a second.</summary>
    public async Task<ApiResult> ActivateAsync(string scope, HttpRequest request, string user)
    {
        var ct = request.HttpContext.RequestAborted;
        if (await ApiBody.ReadAsync(request, MaxBody) is not { } body || !TryReadVersion(body, out var version))
        {
            return ApiResult.BadRequest("The body must be {\"version\": integer}.");
        }

        if (await store.FindAsync(scope, version, ct) is { } policy && FindProblem(policy) is { } problem)
        {
            return ApiResult.BadRequest($"The version cannot be activated: {problem}");
        }

        switch (await store.ActivateAsync(scope, version, user, ct))
        {
            case ActivationResult.NotFound:
                return ApiResult.NotFound(NoSuchVersion);
            case ActivationResult.NeverActive:
                return ApiResult.Conflict("The version is older than the active version and was never active. A rollback is possible only to a version that was active before.");
        }

        await configuration.ReadAsync(ct);
        return await FindAsync(scope, version, ct);
    }

    /// <summary>Deactivates the policy of a domain or route, and responds when this proxy has applied the change.</summary>
    public async Task<ApiResult> DeactivateAsync(string scope, CancellationToken ct)
    {
        await store.DeactivateAsync(scope, ct);
        await configuration.ReadAsync(ct);
        return ApiResult.NoContent;
    }

    /// <summary>Appraises the Evidence of the current connections against a policy or a stored version. Reports which machines it would reject, and why. Changes nothing.</summary>
    public async Task<ApiResult> DryRunAsync(string scope, HttpRequest request, bool showAddresses)
    {
        var ct = request.HttpContext.RequestAborted;
        if (await ApiBody.ReadAsync(request, MaxBody) is not { } body)
        {
            return ApiResult.BadRequest(BodyTooLarge);
        }

        try
        {
            return await FindCandidateAsync(scope, body, ct) is { } candidate
                ? ApiResult.Ok(await AppraiseAsync(new NamedPolicy(scope, 0, candidate), showAddresses, ct))
                : ApiResult.NotFound(NoSuchVersion);
        }
        catch (PolicyException exception)
        {
            return ApiResult.BadRequest(exception.Message);
        }
    }

    /// <returns>The policy in the body, or the stored version that it names; null if this version does not exist.</returns>
    /// <exception cref="PolicyException">The policy is not valid.</exception>
    private async Task<AttestationPolicy?> FindCandidateAsync(string scope, byte[] body, CancellationToken ct) =>
        !TryReadVersion(body, out var version) ? ParsePolicy(body)
        : await store.FindAsync(scope, version, ct) is { } stored ? PolicyStore.Parse(stored.Policy, options.Value.Simulated)
        : null;

    private async Task<DryRunResult> AppraiseAsync(NamedPolicy candidate, bool showAddresses, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var results = new List<TrialView>();
        foreach (var pool in await FindPoolsAsync(candidate.Id, ct))
        {
            if (VerdictOf(pool) is { Claims: not null } current)
            {
                var verdict = EvidenceVerifier.Reassess(current, ReplacePolicy(pool.Policies, candidate), now);
                results.Add(new TrialView(DisplayName(pool, showAddresses), candidate.Id, !verdict.OpensConnections, verdict));
            }
        }

        return new DryRunResult(results.Count(static result => result.WouldBeRefused), results);
    }

    /// <returns>The policies of the set with <paramref name="candidate"/> in place of the active policy of its scope. The platform policy is first.</returns>
    private static List<NamedPolicy> ReplacePolicy(PolicySet set, NamedPolicy candidate)
    {
        var others = set.Policies.Where(policy => policy.Id != candidate.Id);
        return candidate.Id == PolicyScope.Platform ? [candidate, .. others] : [.. others, candidate];
    }

    /// <returns>The verdicts on all machines, and the stored rows that the proxy cannot load.</returns>
    public ApiResult VerifyPlatform() => ApiResult.Ok(new BackendList(
        [.. backends.Pools.Where(pool => configuration.Current.IsActive(pool.Policies)).Select(static pool => View(pool, showAddresses: true))],
        [.. configuration.Current.Unreadable.Select(static row => new UnreadableView(row.Kind, row.Name, row.Problem))]));

    /// <returns>The verdicts on the machines that requests of the domain may use.</returns>
    public async Task<ApiResult> VerifyAsync(string domain, bool showAddresses, CancellationToken ct) =>
        ApiResult.Ok(new BackendList([.. (await FindPoolsAsync(domain, ct)).Select(pool => View(pool, showAddresses))]));

    /// <returns>The pools that requests of the scope may use under the active policies.</returns>
    private async Task<List<BackendConnectionPool>> FindPoolsAsync(string scope, CancellationToken ct)
    {
        var snapshot = configuration.Current;
        var inUse = backends.Pools.Where(pool => snapshot.IsActive(pool.Policies));
        if (PolicyScope.FindRoute(scope) is not { } route)
        {
            var domain = Guid.TryParse(scope, out var id) ? snapshot.PoliciesFor(id, Guid.Empty).Domain : Guid.Empty;
            return [.. inUse.Where(pool => pool.Policies.Domain == domain)];
        }

        var found = new List<BackendConnectionPool>();
        if (snapshot.Routes.All.FirstOrDefault(loaded => loaded.Id == route)?.Target is { } target)
        {
            foreach (var pool in inUse.Where(pool => pool.Policies.Route == snapshot.PoliciesFor(Guid.Empty, route).Route))
            {
                if (await backends.ResolvesToAsync(target, pool.Address, ct))
                {
                    found.Add(pool);
                }
            }
        }

        return found;
    }

    /// <returns>The canonical JSON of a policy in a request, for the database.</returns>
    /// <exception cref="PolicyException">The policy is not valid.</exception>
    public string Normalize(byte[] body) => PolicyJson.Write(ParsePolicy(body), options.Value.Simulated);

    /// <exception cref="PolicyException">The policy is not valid.</exception>
    private AttestationPolicy ParsePolicy(byte[] body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            if (LegacyPolicyImporter.IsLegacyFormat(json.RootElement))
            {
                return LegacyPolicyImporter.Import(body);
            }
        }
        catch (JsonException)
        {
            // PolicyJson.Parse reports the error.
        }

        return PolicyJson.Parse(body, options.Value.Simulated);
    }

    private static BackendView View(BackendConnectionPool pool, bool showAddresses)
    {
        var verdict = VerdictOf(pool);
        var state = pool.Current is { IsOpen: true } ? "attested" : pool.Failure is AttestationException ? "refused" : "unreachable";
        return new BackendView(DisplayName(pool, showAddresses), pool.Policies.Scope, state, pool.Current is { AcceptsRequests: true }, verdict);
    }

    private static Verdict? VerdictOf(BackendConnectionPool pool) => pool.Current?.Verdict ?? (pool.Failure as AttestationException)?.Verdict;

    private static string DisplayName(BackendConnectionPool pool, bool showAddresses) => showAddresses
        ? pool.Address.GetLeftPart(UriPartial.Authority)
        : $"backend-{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(pool.Address.Authority)))[..12]}";

    private string? FindProblem(PolicyVersion version)
    {
        try
        {
            PolicyStore.Parse(version.Policy, options.Value.Simulated);
            return null;
        }
        catch (PolicyException exception)
        {
            return exception.Message;
        }
    }

    /// <returns>Null if the text is not a JSON object.</returns>
    public static JsonElement? Parse(string text)
    {
        try
        {
            return JsonElement.Parse(text) is { ValueKind: JsonValueKind.Object } json ? json : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private PolicyView View(PolicyVersion version) => new(
        version.Scope, version.Version, version.IsActive ? "active" : version.ActivatedAt is null ? "staged" : "retired",
        Parse(version.Policy), version.CreatedAt, version.CreatedBy, version.ActivatedAt, version.ActivatedBy, FindProblem(version));

    private static bool TryReadVersion(byte[] body, out int version)
    {
        version = 0;
        try
        {
            using var json = JsonDocument.Parse(body);
            return json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("version", out var number)
                && number.ValueKind == JsonValueKind.Number && number.TryGetInt32(out version);
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
