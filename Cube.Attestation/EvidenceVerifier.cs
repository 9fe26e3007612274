using System.Security.Cryptography;
using Cube.Attestation.Azure;
using Cube.Attestation.Certificates;
using Cube.Attestation.Evidence;
using Cube.Attestation.Parsing;
using Cube.Attestation.Policy;

namespace Cube.Attestation;

/// <summary>What the operator configures for evidence that needs more than the vendors' roots.</summary>
public sealed record VerifierSettings
{
    /// <summary>Development only. False answers simulated evidence before a look at its signature.</summary>
    public bool AllowSimulated { get; init; }

    /// <summary>Signing keys of the configured instances of Microsoft Azure Attestation: issuer → JWKS.</summary>
    public Func<string, byte[]?> MaaKeys { get; init; } = static _ => null;

    /// <summary>DER of the root of Google's launch endorsements; there is no default.</summary>
    public byte[]? GoogleRoot { get; init; }
}

/// <summary>What evidence must be bound to in a connection.</summary>
/// <param name="Binder">64 bytes, computed from one's own view of the connection.</param>
public sealed record BoundTo(byte[] Binder, Binding Binding, string ChannelBinding, byte[] Nonce);

/// <summary>
/// The verifier: evidence, what it must be bound to, and the policies that it must satisfy, all of them. It never throws for what is in
/// the evidence.
/// </summary>
public sealed class EvidenceVerifier
{
    private readonly VerifierSettings _settings;
    private readonly TrustAnchors _anchors;

    public EvidenceVerifier(VerifierSettings settings)
        : this(settings, TrustAnchors.Vendor)
    {
    }

    internal EvidenceVerifier(VerifierSettings settings, TrustAnchors anchors) => (_settings, _anchors) = (settings, anchors);

    /// <summary>For a connection: the evidence must be bound to it.</summary>
    /// <param name="policies">The platform's floor first, then the domain's; none is never valid.</param>
    public Verdict Verify(EvidenceDocument evidence, BoundTo bound, IReadOnlyList<NamedPolicy> policies, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(bound);
        return Verify(evidence, policies, ChecksFor(evidence, bound, policies), bound, now);
    }

    /// <summary>For evidence in hand, without a connection. The verdict's binding is none, so that it opens nothing.</summary>
    public Verdict VerifyDetached(EvidenceDocument evidence, IReadOnlyList<NamedPolicy> policies, DateTimeOffset now) =>
        Verify(evidence, policies, ChecksFor(evidence, null, policies), null, now);

    /// <summary>Holds claims that were found genuine against other policies, as a dry run does. Dates are looked at again.</summary>
    public static Verdict Reassess(Verdict held, IReadOnlyList<NamedPolicy> policies, DateTimeOffset now)
    {
        var named = Named(held, policies) with { EvaluatedAt = now, ExpiresAt = now, Findings = [], Code = null, Detail = null, Outcome = Outcome.Invalid };
        if (held.Claims is not { } claims)
        {
            return held;
        }

        return claims.ExpiresAt <= now
            ? named with { Code = Codes.CertExpired, Detail = "Something behind the evidence has expired." }
            : Judge(named, claims, policies, held.Binding == Binding.None ? null : held.Binding, now);
    }

    internal Verdict Verify(EvidenceDocument evidence, IReadOnlyList<NamedPolicy> policies, Checks checks, BoundTo? bound, DateTimeOffset now)
    {
        var verdict = Named(new Verdict
        {
            Outcome = Outcome.Invalid,
            Type = evidence.Type,
            Binding = bound?.Binding ?? Binding.None,
            ChannelBinding = bound?.ChannelBinding,
            Binder = bound is null ? null : Convert.ToHexStringLower(bound.Binder),
            Nonce = bound is null ? null : Convert.ToHexStringLower(bound.Nonce),
            EvaluatedAt = now,
            ExpiresAt = now,
            EvidenceSha256 = string.Empty,
        }, policies);
        try
        {
            verdict = verdict with { EvidenceSha256 = Convert.ToHexStringLower(evidence.Sha256()) };
            Refusal.Unless(evidence.Type != EvidenceType.Simulated || _settings.AllowSimulated, Codes.SimulatedNotAllowed, "Simulated evidence is for development only.");
            var claims = new Examination(_anchors, checks, now).Examine(evidence);
            return Judge(Description.Describe(verdict, claims), claims, policies, bound?.Binding, now);
        }
        catch (Refusal refusal)
        {
            return verdict with { Outcome = refusal.Indeterminate ? Outcome.Indeterminate : Outcome.Invalid, Code = refusal.Code, Detail = refusal.Message };
        }
#pragma warning disable CA1031 // The promise of this class: whatever a parser did not foresee is a refusal.
        catch (Exception)
#pragma warning restore CA1031
        {
            return verdict with { Code = Codes.Internal, Detail = "The evidence could not be judged." };
        }
    }

    private static Verdict Named(Verdict verdict, IReadOnlyList<NamedPolicy> policies) =>
        policies.Count > 0 ? verdict with { PolicyId = policies[^1].Id, PolicyVersion = policies[^1].Version } : verdict;

    private Checks ChecksFor(EvidenceDocument evidence, BoundTo? bound, IReadOnlyList<NamedPolicy> policies)
    {
        var snp = policies.Select(static named => named.Policy.Snp).OfType<SnpPolicy>().ToList();
        var maas = policies.Select(static named => named.Policy.Maa).OfType<MaaPolicy>().ToList();
        var maa = maas.Count > 0 ? maas[0] : null;
        var launch = policies.Select(static named => named.Policy.Snp?.GoogleLaunch ?? named.Policy.Tdx?.GoogleLaunch).OfType<LaunchPolicy>().FirstOrDefault();
        var issuer = maa?.Issuers.FirstOrDefault(candidate => evidence.Token is { } token && MaaIssuer.IsNamedIn(token, candidate)) ?? (maa is { Issuers.Count: > 0 } ? maa.Issuers[0] : null);
        return new Checks
        {
            ReportData = evidence.Type is EvidenceType.SevSnp or EvidenceType.Tdx or EvidenceType.Simulated ? bound?.Binder : null,
            // A TPM's qualifying data hold 32 bytes everywhere.
            Nonce = bound is null ? null : SHA256.HashData(bound.Binder),
            TokenBinder = bound?.Binder,
            MaxVmpl = snp.Count > 0 ? snp.Min(static policy => policy.MaxVmpl) : 0,
            AllowMaskedChipId = snp.Count > 0 && snp.TrueForAll(static policy => policy.AllowMaskedChipId),
            RequireAkChain = policies.Any(static named => named.Policy.Azure is { RequireAkCertificate: true }),
            Maa = maa is null || issuer is null ? null : new MaaDemands(
                issuer, maa.Tee, TimeSpan.FromSeconds(maas.Min(static policy => policy.MaxAgeSeconds)), maas.Exists(static policy => policy.RequireCompliance), Nonce: null),
            MaaKeys = issuer is not null && _settings.MaaKeys(issuer) is { } jwks ? MaaKeys.Parse(jwks) : null,
            GoogleRoot = _settings.GoogleRoot is { } root ? Certificate.Parse(root) : null,
            Vcpus = launch?.Vcpus,
        };
    }

    private static Verdict Judge(Verdict verdict, Claims claims, IReadOnlyList<NamedPolicy> policies, Binding? binding, DateTimeOffset now)
    {
        if (policies.Count == 0)
        {
            // Simulated evidence in hand is called what it is. On a connection, nothing passes without a policy.
            var outcome = claims.Type == EvidenceType.Simulated && binding is null ? Outcome.Simulated : Outcome.Indeterminate;
            return verdict with { Outcome = outcome, Code = Codes.PolicyMissing, Detail = "The evidence is genuine. No policy says whether that is enough." };
        }

        var findings = policies.SelectMany(policy => new PolicyJudge(policy, claims, binding).Judge()).ToList();
        var lease = now + TimeSpan.FromSeconds(policies.Min(static policy => policy.Policy.LeaseSeconds));
        verdict = verdict with { Findings = findings, ExpiresAt = claims.ExpiresAt is { } end && end < lease ? end : lease };
        if (policies.Any(static policy => policy.Policy.Types.Count == 0))
        {
            return verdict with { Code = Codes.PolicyEmpty, Detail = "An empty policy refuses all." };
        }

        // Alternatives that identify the code are summed up in a finding of their own.
        if (findings.Find(static finding => !finding.Ok && !Description.IsAlternative(finding.Field)) is { } failed)
        {
            var isMissing = failed is { Field: "snp.require_crl" } or { Field: "tdx.tcb_statuses", Found: "unknown" };
            return verdict with
            {
                Outcome = isMissing ? Outcome.Indeterminate : Outcome.Invalid,
                Code = isMissing ? (failed.Field == "snp.require_crl" ? Codes.CrlMissing : Codes.CollateralMissing) : "policy-" + failed.Field.Replace('.', '-').Replace('_', '-'),
                Detail = $"The policy '{failed.Policy}' does not accept the field '{failed.Field}'.",
            };
        }

        return verdict with { Outcome = claims.Type == EvidenceType.Simulated ? Outcome.Simulated : Outcome.Valid };
    }
}
