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
using Cube.Proxy.Management;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Management;

/// <summary>What administrators do with policies, for the platform and for a domain alike: read, stage, try out, activate; and see what machines proved.</summary>
internal sealed class PolicyService(PolicyStore store, ProxyConfigurationProvider configuration, BackendConnectionProvider backends, IOptions<PolicyOptions> options, TimeProvider time)
{
    private const int MaxBody = PolicyJson.MaxBytes + 1024;

    /// <param name="State">staged (never in force), active, or retired.</param>
    internal sealed record PolicyView(
        string Scope, int Version, string State, JsonElement? Policy, DateTime CreatedAt, string CreatedBy, DateTime? ActivatedAt, string? ActivatedBy, string? Problem);

    /// <param name="Backend">Its address, for administrators of the platform; else a name that tells machines apart.</param>
    /// <param name="State">attested, refused or unreachable.</param>
    internal sealed record BackendView(string Backend, string Scope, string State, bool TakesRequests, Verdict? Verdict);

    internal sealed record PolicyList(int Total, IReadOnlyList<PolicyView> Versions);

    /// <param name="Unreadable">Stored rows that cannot be loaded; for administrators of the platform.</param>
    internal sealed record BackendList(IReadOnlyList<BackendView> Backends, IReadOnlyList<UnreadableView>? Unreadable = null);

    internal sealed record UnreadableView(string Kind, string Name, string Problem);

    internal sealed record DryRunResult(int WouldRefuse, IReadOnlyList<TrialView> Backends);

    internal sealed record TrialView(string Backend, string Scope, bool WouldBeRefused, Verdict Verdict);

    public async Task<ApiResult> FindAsync(string scope, int? version, CancellationToken ct) => await store.FindAsync(scope, version, ct) is { } found
        ? ApiResult.Ok(View(found))
        : ApiResult.NotFound(version is null ? "No policy is in force here." : "There is no such version.");

    public async Task<ApiResult> ListAsync(string scope, CancellationToken ct)
    {
        var versions = await store.ListAsync(scope, ct);
        return ApiResult.Ok(new PolicyList(versions.Count, [.. versions.Select(View)]));
    }

    /// <summary>A policy of ours, or one of the original's files, which is translated. It is not in force.</summary>
    public async Task<ApiResult> StageAsync(string scope, HttpRequest request, string by)
    {
        var ct = request.HttpContext.RequestAborted;
        if (await ApiBody.ReadAsync(request, MaxBody) is not { } body)
        {
            return ApiResult.Bad("The policy is larger than 256 KiB.");
        }

        try
        {
            return ApiResult.Created(View(await store.StageAsync(scope, Normalize(body), by, ct)));
        }
        catch (PolicyException exception)
        {
            return ApiResult.Bad(exception.Message);
        }
    }

    /// <summary>Answers when this proxy goes by it; the others have heard of it by then, or do within a second.</summary>
    public async Task<ApiResult> ActivateAsync(string scope, HttpRequest request, string by)
    {
        var ct = request.HttpContext.RequestAborted;
        if (await ApiBody.ReadAsync(request, MaxBody) is not { } body || !TryReadVersion(body, out var version))
        {
            return ApiResult.Bad("Give {\"version\": number}.");
        }

        if (await store.FindAsync(scope, version, ct) is { } wanted && Problem(wanted) is { } problem)
        {
            return ApiResult.Bad($"The version cannot be put in force: {problem}");
        }

        switch (await store.ActivateAsync(scope, version, by, ct))
        {
            case ActivationResult.NotFound:
                return ApiResult.NotFound("There is no such version.");
            case ActivationResult.NeverActive:
                return ApiResult.Conflict("The version is older than the one in force and was never in force: only what was active before can be rolled back to.");
        }

        await configuration.ReadAsync(ct);
        return await FindAsync(scope, version, ct);
    }

    /// <summary>A domain goes back to the platform's policy.</summary>
    public async Task<ApiResult> DeactivateAsync(string scope, CancellationToken ct)
    {
        await store.DeactivateAsync(scope, ct);
        await configuration.ReadAsync(ct);
        return ApiResult.NoContent;
    }

    /// <summary>Holds a policy against the evidence that is held now: which machines it would refuse, and why. Nothing changes.</summary>
    public async Task<ApiResult> TryAsync(string scope, HttpRequest request, bool showAddresses)
    {
        var ct = request.HttpContext.RequestAborted;
        if (await ApiBody.ReadAsync(request, MaxBody) is not { } body)
        {
            return ApiResult.Bad("The policy is larger than 256 KiB.");
        }

        AttestationPolicy candidate;
        try
        {
            if (TryReadVersion(body, out var version))
            {
                if (await store.FindAsync(scope, version, ct) is not { } kept)
                {
                    return ApiResult.NotFound("There is no such version.");
                }

                candidate = PolicyStore.Parse(kept.Policy, options.Value.Simulated);
            }
            else
            {
                candidate = Load(body);
            }
        }
        catch (PolicyException exception)
        {
            return ApiResult.Bad(exception.Message);
        }

        var named = new NamedPolicy(scope, 0, candidate);
        var trials = (await HeldAsync(scope, ct))
            .Select(slot => (Slot: slot, Verdict: VerdictOf(slot)))
            .Where(static pair => pair.Verdict?.Claims is not null)
            .Select(pair => (pair.Slot, Verdict: EvidenceVerifier.Reassess(pair.Verdict!, With(pair.Slot.Policies, named), time.GetUtcNow())))
            .Select(pair => new TrialView(Name(pair.Slot, showAddresses), scope, !pair.Verdict.OpensConnections, pair.Verdict))
            .ToList();
        return ApiResult.Ok(new DryRunResult(trials.Count(static trial => trial.WouldBeRefused), trials));
    }

    /// <summary>The candidate in place of what its scope has now; the floor stays first.</summary>
    private static List<NamedPolicy> With(PolicySet set, NamedPolicy candidate)
    {
        var others = set.Policies.Where(policy => policy.Id != candidate.Id);
        return candidate.Id == PolicyScope.Platform ? [candidate, .. others] : [.. others, candidate];
    }

    /// <summary>The verdicts on all machines, and the stored rows that cannot be loaded.</summary>
    public ApiResult VerifyPlatform() => ApiResult.Ok(new BackendList(
        [.. backends.Pools.Where(slot => configuration.Current.IsActive(slot.Policies)).Select(static slot => View(slot, showAddresses: true))],
        [.. configuration.Current.Unreadable.Select(static row => new UnreadableView(row.Kind, row.Name, row.Problem))]));

    /// <summary>The verdicts on the machines that a domain's requests may use.</summary>
    public async Task<ApiResult> VerifyAsync(string domain, bool showAddresses, CancellationToken ct) =>
        ApiResult.Ok(new BackendList([.. (await HeldAsync(domain, ct)).Select(slot => View(slot, showAddresses))]));

    /// <summary>The machines that a scope's requests may use now: all of them, those of a domain's requests, those of a route's.</summary>
    private async Task<List<BackendConnectionPool>> HeldAsync(string scope, CancellationToken ct)
    {
        var snapshot = configuration.Current;
        var inUse = backends.Pools.Where(slot => snapshot.IsActive(slot.Policies));
        if (PolicyScope.FindRoute(scope) is not { } route)
        {
            var domain = Guid.TryParse(scope, out var id) ? snapshot.PoliciesFor(id, Guid.Empty).Domain : Guid.Empty;
            return [.. inUse.Where(slot => slot.Policies.Domain == domain)];
        }

        var held = new List<BackendConnectionPool>();
        if (snapshot.Routes.All.FirstOrDefault(running => running.Id == route)?.Target is { } target)
        {
            foreach (var slot in inUse.Where(slot => slot.Policies.Route == snapshot.PoliciesFor(Guid.Empty, route).Route))
            {
                if (await backends.ResolvesToAsync(target, slot.Address, ct))
                {
                    held.Add(slot);
                }
            }
        }

        return held;
    }

    /// <returns>What is stored for a policy that was sent.</returns>
    /// <exception cref="PolicyException">It is no policy, or one that must not be stored.</exception>
    public string Normalize(byte[] body) => PolicyJson.Write(Load(body), options.Value.Simulated);

    /// <exception cref="PolicyException">It is no policy.</exception>
    private AttestationPolicy Load(byte[] body)
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
            // Named in words below.
        }

        return PolicyJson.Parse(body, options.Value.Simulated);
    }

    private static BackendView View(BackendConnectionPool slot, bool showAddresses)
    {
        var verdict = VerdictOf(slot);
        var state = slot.Current is { IsOpen: true } ? "attested" : slot.Failure is AttestationException ? "refused" : "unreachable";
        return new BackendView(Name(slot, showAddresses), slot.Policies.Scope, state, slot.Current is { AcceptsRequests: true }, verdict);
    }

    private static Verdict? VerdictOf(BackendConnectionPool slot) => slot.Current?.Verdict ?? (slot.Failure as AttestationException)?.Verdict;

    private static string Name(BackendConnectionPool slot, bool showAddresses) => showAddresses
        ? slot.Address.GetLeftPart(UriPartial.Authority)
        : $"backend-{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(slot.Address.Authority)))[..12]}";

    private string? Problem(PolicyVersion version)
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

    /// <returns>What is stored, as JSON; null where it is none.</returns>
    public static JsonElement? Parse(string stored)
    {
        try
        {
            return JsonElement.Parse(stored) is { ValueKind: JsonValueKind.Object } json ? json : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private PolicyView View(PolicyVersion version) => new(
        version.Scope, version.Version, version.IsActive ? "active" : version.ActivatedAt is null ? "staged" : "retired",
        Parse(version.Policy), version.CreatedAt, version.CreatedBy, version.ActivatedAt, version.ActivatedBy, Problem(version));

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
