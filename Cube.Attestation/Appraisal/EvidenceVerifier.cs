using System.Security.Cryptography;
using Cube.Attestation.Azure;
using Cube.Attestation.Certificates;
using Cube.Attestation.Evidence;
using Cube.Attestation.Parsing;
using Cube.Attestation.Policy;
using Cube.Attestation.Verdicts;

namespace Cube.Attestation.Appraisal;

/// <summary>Settings of the operator for Evidence that needs more than the pinned vendor roots.</summary>
public sealed record VerifierSettings
{
    /// <summary>Development only. If false, the Verifier rejects simulated Evidence before it checks the signature.</summary>
    public bool AllowSimulated { get; init; }

    /// <summary>Returns the JWKS of a configured Microsoft Azure Attestation issuer, or null.</summary>
    public Func<string, byte[]?> MaaKeys { get; init; } = static _ => null;

    /// <summary>DER of the root certificate of Google's launch endorsements; no default.</summary>
    public byte[]? GoogleRoot { get; init; }
}

/// <summary>The connection that Evidence must be bound to.</summary>
/// <param name="Binder">64 bytes, computed by the Verifier from its own end of the connection.</param>
public sealed record BindingContext(byte[] Binder, Binding Binding, string ChannelBinding, byte[] Nonce);

/// <summary>
/// The Verifier (RFC 9334). It appraises Evidence against its binding and against every given policy. No content of the Evidence makes it throw.
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

    /// <summary>Appraises Evidence that must be bound to a connection.</summary>
    /// <param name="policies">The platform policy first, then the policies of route and domain. With an empty list the verdict is never valid.</param>
    public Verdict Verify(EvidenceDocument evidence, BindingContext bound, IReadOnlyList<NamedPolicy> policies, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(bound);
        return Verify(evidence, policies, OptionsFor(evidence, bound, policies), bound, now);
    }

    /// <summary>Appraises Evidence without a connection. The binding of the verdict is <see cref="Binding.None"/>, so that it permits no connection.</summary>
    public Verdict VerifyDetached(EvidenceDocument evidence, IReadOnlyList<NamedPolicy> policies, DateTimeOffset now) =>
        Verify(evidence, policies, OptionsFor(evidence, null, policies), null, now);

    /// <summary>Evaluates the verified claims of <paramref name="held"/> against other policies, for a dry run. Expiry is checked again.</summary>
    public static Verdict Reassess(Verdict held, IReadOnlyList<NamedPolicy> policies, DateTimeOffset now)
    {
        var named = Named(held, policies) with { EvaluatedAt = now, ExpiresAt = now, Findings = [], Code = null, Detail = null, Outcome = Outcome.Invalid };
        if (held.Claims is not { } claims)
        {
            return held;
        }

        return claims.ExpiresAt <= now
            ? named with { Code = Codes.CertExpired, Detail = "A certificate, revocation list or document behind the evidence has expired." }
            : Evaluate(named, claims, policies, held.Binding == Binding.None ? null : held.Binding, now);
    }

    internal Verdict Verify(EvidenceDocument evidence, IReadOnlyList<NamedPolicy> policies, AppraisalOptions options, BindingContext? bound, DateTimeOffset now)
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
            AppraisalException.ThrowUnless(evidence.Type != EvidenceType.Simulated || _settings.AllowSimulated, Codes.SimulatedNotAllowed, "Simulated evidence is allowed in development only.");
            var claims = new EvidenceAppraiser(_anchors, options, now).Appraise(evidence);
            return Evaluate(ClaimsSummary.AddTo(verdict, claims), claims, policies, bound?.Binding, now);
        }
        catch (AppraisalException exception)
        {
            return verdict with { Outcome = exception.Indeterminate ? Outcome.Indeterminate : Outcome.Invalid, Code = exception.Code, Detail = exception.Message };
        }
#pragma warning disable CA1031 // Fail closed: an unexpected parser exception rejects the evidence.
        catch (Exception)
#pragma warning restore CA1031
        {
            return verdict with { Code = Codes.Internal, Detail = "The evidence could not be appraised." };
        }
    }

    private static Verdict Named(Verdict verdict, IReadOnlyList<NamedPolicy> policies) =>
        policies.Count > 0 ? verdict with { PolicyId = policies[^1].Id, PolicyVersion = policies[^1].Version } : verdict;

    private AppraisalOptions OptionsFor(EvidenceDocument evidence, BindingContext? bound, IReadOnlyList<NamedPolicy> policies)
    {
        var snp = policies.Select(static named => named.Policy.Snp).OfType<SnpPolicy>().ToList();
        var maas = policies.Select(static named => named.Policy.Maa).OfType<MaaPolicy>().ToList();
        var maa = maas.Count > 0 ? maas[0] : null;
        var launch = policies.Select(static named => named.Policy.Snp?.GoogleLaunch ?? named.Policy.Tdx?.GoogleLaunch).OfType<LaunchPolicy>().FirstOrDefault();
        var issuer = maa?.Issuers.FirstOrDefault(candidate => evidence.Token is { } token && MaaIssuer.IsNamedIn(token, candidate)) ?? (maa is { Issuers.Count: > 0 } ? maa.Issuers[0] : null);
        return new AppraisalOptions
        {
            ReportData = evidence.Type is EvidenceType.SevSnp or EvidenceType.Tdx or EvidenceType.Simulated ? bound?.Binder : null,
            // Every TPM accepts 32 bytes of qualifying data.
            Nonce = bound is null ? null : SHA256.HashData(bound.Binder),
            TokenBinder = bound?.Binder,
            MaxVmpl = snp.Count > 0 ? snp.Min(static policy => policy.MaxVmpl) : 0,
            AllowMaskedChipId = snp.Count > 0 && snp.TrueForAll(static policy => policy.AllowMaskedChipId),
            RequireAkChain = policies.Any(static named => named.Policy.Azure is { RequireAkCertificate: true }),
            Maa = maa is null || issuer is null ? null : new MaaRequirements(
                issuer, maa.Tee, TimeSpan.FromSeconds(maas.Min(static policy => policy.MaxAgeSeconds)), maas.Exists(static policy => policy.RequireCompliance), Nonce: null),
            MaaKeys = issuer is not null && _settings.MaaKeys(issuer) is { } jwks ? MaaKeys.Parse(jwks) : null,
            GoogleRoot = _settings.GoogleRoot is { } root ? Certificate.Parse(root) : null,
            Vcpus = launch?.Vcpus,
        };
    }

    private static Verdict Evaluate(Verdict verdict, Claims claims, IReadOnlyList<NamedPolicy> policies, Binding? binding, DateTimeOffset now)
    {
        if (policies.Count == 0)
        {
            // Without a connection, simulated evidence is reported as simulated. On a connection, a policy is required.
            var outcome = claims.Type == EvidenceType.Simulated && binding is null ? Outcome.Simulated : Outcome.Indeterminate;
            return verdict with { Outcome = outcome, Code = Codes.PolicyMissing, Detail = "The evidence is authentic, but no policy is given to appraise it." };
        }

        var findings = policies.SelectMany(policy => new PolicyEvaluator(policy, claims, binding).Evaluate()).ToList();
        var lease = now + TimeSpan.FromSeconds(policies.Min(static policy => policy.Policy.LeaseSeconds));
        verdict = verdict with { Findings = findings, ExpiresAt = claims.ExpiresAt is { } end && end < lease ? end : lease };
        if (policies.Any(static policy => policy.Policy.Types.Count == 0))
        {
            return verdict with { Code = Codes.PolicyEmpty, Detail = "An empty policy rejects all evidence." };
        }

        // The alternatives that identify the code are summarized by the finding snp.identity.
        if (findings.Find(static finding => !finding.Ok && !ClaimsSummary.IsAlternative(finding.Field)) is { } failed)
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
