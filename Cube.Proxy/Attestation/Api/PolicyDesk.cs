using System.Text;
using System.Text.Json;
using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Verdicts;
using Cube.Attestation.Atls;
using Cube.Attestation.Policy;
using Cube.Proxy.Attestation.Backends;
using Cube.Proxy.Attestation.Policies;
using Cube.Proxy.Management;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Attestation.Api;

/// <summary>What administrators do with policies, for the platform and for a domain alike: read, stage, try out, activate; and see what machines proved.</summary>
internal sealed class PolicyDesk(PolicyStore store, PoliciesInForce inForce, AttestedBackends backends, IOptions<AttestationOptions> options, TimeProvider time)
{
    private const int MostBody = PolicyJson.MaxBytes + 1024;

    /// <param name="State">staged (never in force), active, or retired.</param>
    internal sealed record PolicyView(
        string Scope, int Version, string State, JsonElement? Policy, DateTime CreatedAt, string CreatedBy, DateTime? ActivatedAt, string? ActivatedBy, string? Problem);

    /// <param name="Backend">Its address, for administrators of the platform; else a name that tells machines apart.</param>
    /// <param name="State">attested, refused or unreachable.</param>
    internal sealed record BackendView(string Backend, string Scope, string State, bool TakesRequests, Verdict? Verdict);

    internal sealed record TrialView(string Backend, string Scope, bool WouldBeRefused, Verdict Verdict);

    public async Task<ApiAnswer> FindAsync(string scope, int? version, CancellationToken ct) => await store.FindAsync(scope, version, ct) is { } found
        ? ApiAnswer.Ok(View(found))
        : ApiAnswer.NotFound(version is null ? "No policy is in force here." : "There is no such version.");

    public async Task<ApiAnswer> ListAsync(string scope, CancellationToken ct)
    {
        var versions = await store.ListAsync(scope, ct);
        return ApiAnswer.Ok(new { total = versions.Count, versions = versions.Select(View) });
    }

    /// <summary>A policy of ours, or one of the original's files, which is translated. It is not in force.</summary>
    public async Task<ApiAnswer> StageAsync(string scope, HttpRequest request, string by)
    {
        var ct = request.HttpContext.RequestAborted;
        if (await ApiBody.ReadAsync(request, MostBody) is not { } body)
        {
            return ApiAnswer.Bad("The policy is larger than 256 KiB.");
        }

        try
        {
            return ApiAnswer.Created(View(await store.StageAsync(scope, Text(body), by, ct)));
        }
        catch (PolicyException exception)
        {
            return ApiAnswer.Bad(exception.Message);
        }
    }

    /// <summary>Answers when this proxy goes by it; the others have heard of it by then, or do within a second.</summary>
    public async Task<ApiAnswer> ActivateAsync(string scope, HttpRequest request, string by)
    {
        var ct = request.HttpContext.RequestAborted;
        if (await ApiBody.ReadAsync(request, MostBody) is not { } body || !TryReadVersion(body, out var version))
        {
            return ApiAnswer.Bad("Give {\"version\": number}.");
        }

        if (await store.FindAsync(scope, version, ct) is { } wanted && Problem(wanted) is { } problem)
        {
            return ApiAnswer.Bad($"The version cannot be put in force: {problem}");
        }

        switch (await store.ActivateAsync(scope, version, by, ct))
        {
            case Activation.NotFound:
                return ApiAnswer.NotFound("There is no such version.");
            case Activation.NeverActive:
                return ApiAnswer.Conflict("The version is older than the one in force and was never in force: only what was active before can be rolled back to.");
        }

        await inForce.ReadAsync(ct);
        return await FindAsync(scope, version, ct);
    }

    /// <summary>A domain goes back to the platform's policy.</summary>
    public async Task<ApiAnswer> DeactivateAsync(string scope, CancellationToken ct)
    {
        await store.DeactivateAsync(scope, ct);
        await inForce.ReadAsync(ct);
        return ApiAnswer.NoContent;
    }

    /// <summary>Holds a policy against the evidence that is held now: which machines it would refuse, and why. Nothing changes.</summary>
    public async Task<ApiAnswer> TryAsync(string scope, HttpRequest request, bool isAdministrator)
    {
        var ct = request.HttpContext.RequestAborted;
        if (await ApiBody.ReadAsync(request, MostBody) is not { } body)
        {
            return ApiAnswer.Bad("The policy is larger than 256 KiB.");
        }

        AttestationPolicy candidate;
        try
        {
            if (TryReadVersion(body, out var version))
            {
                if (await store.FindAsync(scope, version, ct) is not { } kept)
                {
                    return ApiAnswer.NotFound("There is no such version.");
                }

                candidate = PolicyStore.Load(kept.Policy, options.Value.Simulated);
            }
            else
            {
                candidate = Load(body);
            }
        }
        catch (PolicyException exception)
        {
            return ApiAnswer.Bad(exception.Message);
        }

        var named = new NamedPolicy(scope, 0, candidate);
        var trials = (await HeldAsync(scope, ct))
            .Select(slot => (Slot: slot, Verdict: VerdictOf(slot)))
            .Where(static pair => pair.Verdict?.Claims is not null)
            .Select(pair => (pair.Slot, Verdict: EvidenceVerifier.Reassess(pair.Verdict!, With(pair.Slot.Policies, named), time.GetUtcNow())))
            .Select(pair => new TrialView(Name(pair.Slot, isAdministrator), scope, !pair.Verdict.OpensConnections, pair.Verdict))
            .ToList();
        return ApiAnswer.Ok(new { would_refuse = trials.Count(static trial => trial.WouldBeRefused), backends = trials });
    }

    /// <summary>The candidate in place of what its scope has now; the floor stays first.</summary>
    private static List<NamedPolicy> With(PolicySet set, NamedPolicy candidate)
    {
        var others = set.Policies.Where(policy => policy.Id != candidate.Id);
        return candidate.Id == PolicySnapshot.Platform ? [candidate, .. others] : [.. others, candidate];
    }

    /// <summary>What every machine proved, field by field: of all for administrators, of a domain's for its members.</summary>
    public async Task<ApiAnswer> VerifyAsync(string? domain, bool isAdministrator, CancellationToken ct)
    {
        var held = domain is null ? [.. backends.Slots.Where(slot => inForce.Current.IsInForce(slot.Policies))] : await HeldAsync(domain, ct);
        var views = held.Select(slot => View(slot, isAdministrator));
        return ApiAnswer.Ok(domain is null && isAdministrator
            ? new { backends = views, unreadable = inForce.Current.Unreadable.Select(static row => new { row.Kind, row.Name, row.Problem }) }
            : new { backends = views });
    }

    /// <summary>The machines that a scope's requests may use now: all of them, those of a domain's requests, those of a route's.</summary>
    private async Task<List<BackendSlot>> HeldAsync(string scope, CancellationToken ct)
    {
        var snapshot = inForce.Current;
        var inUse = backends.Slots.Where(slot => snapshot.IsInForce(slot.Policies));
        if (PolicySnapshot.RouteOf(scope) is not { } route)
        {
            var domain = Guid.TryParse(scope, out var id) ? snapshot.Of(id, Guid.Empty).Domain : Guid.Empty;
            return [.. inUse.Where(slot => slot.Policies.Domain == domain)];
        }

        var held = new List<BackendSlot>();
        if (snapshot.Routes.All.FirstOrDefault(running => running.Id == route)?.Target is { } target)
        {
            foreach (var slot in inUse.Where(slot => slot.Policies.Route == snapshot.Of(Guid.Empty, route).Route))
            {
                if (await backends.LeadsToAsync(target, slot.Address, ct))
                {
                    held.Add(slot);
                }
            }
        }

        return held;
    }

    /// <returns>What is stored for a policy that was sent.</returns>
    /// <exception cref="PolicyException">It is no policy, or one that must not be stored.</exception>
    public string Text(byte[] body) => PolicyJson.Write(Load(body), options.Value.Simulated);

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

    private static BackendView View(BackendSlot slot, bool isAdministrator)
    {
        var verdict = VerdictOf(slot);
        var state = slot.Current is { IsOpen: true } ? "attested" : slot.Failure is AttestationException ? "refused" : "unreachable";
        return new BackendView(Name(slot, isAdministrator), slot.Policies.Scope, state, slot.Current is { AcceptsRequests: true }, verdict);
    }

    private static Verdict? VerdictOf(BackendSlot slot) => slot.Current?.Verdict ?? (slot.Failure as AttestationException)?.Verdict;

    private static string Name(BackendSlot slot, bool isAdministrator) => isAdministrator
        ? slot.Address.GetLeftPart(UriPartial.Authority)
        : $"backend-{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(slot.Address.Authority)))[..12]}";

    private string? Problem(PolicyVersion version)
    {
        try
        {
            PolicyStore.Load(version.Policy, options.Value.Simulated);
            return null;
        }
        catch (PolicyException exception)
        {
            return exception.Message;
        }
    }

    /// <returns>What is stored, as JSON; null where it is none.</returns>
    public static JsonElement? Shown(string stored)
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
        Shown(version.Policy), version.CreatedAt, version.CreatedBy, version.ActivatedAt, version.ActivatedBy, Problem(version));

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
