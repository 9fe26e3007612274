using System.Globalization;
using Cube.Attestation.Azure;
using Cube.Attestation.Evidence;
using Cube.Attestation.Snp;
using Cube.Attestation.Tdx;
using Cube.Attestation.Verdicts;

namespace Cube.Attestation.Policy;

/// <summary>
/// Evaluates claims against one policy, field by field. Fields that the policy does not set are not compared.
/// Required fields are enforced when the policy is loaded, and again here.
/// </summary>
/// <param name="binding">Null for an Appraisal without a connection.</param>
internal sealed class PolicyEvaluator(NamedPolicy named, Claims claims, Binding? binding)
{
    private readonly List<Finding> _findings = [];
    private readonly AttestationPolicy _policy = named.Policy;

    public IReadOnlyList<Finding> Evaluate()
    {
        Check("types", string.Join(", ", _policy.Types), claims.Type, _policy.Types.Contains(claims.Type));
        if (claims.Type == EvidenceType.Simulated)
        {
            return _findings;
        }

        Check("confidential", "true", EvidenceType.Confidential.Contains(claims.Type) ? "true" : "false", EvidenceType.Confidential.Contains(claims.Type));
        var bound = binding switch { Binding.Connection => "connection", Binding.LeaseKey => "lease-key", Binding.Certificate => "certificate", null => "no connection", _ => "none" };
        Check("bindings", string.Join(", ", _policy.Bindings), bound, binding is null || _policy.Bindings.Contains(bound));
        if (claims.Snp is { } snp)
        {
            Evaluate(snp, _policy.Snp);
        }

        if (claims.Tdx is { } tdx)
        {
            Evaluate(tdx, _policy.Tdx);
        }

        if (claims.Azure is { } azure)
        {
            Evaluate(azure, _policy.Azure ?? new AzurePolicy());
        }

        if (claims.Maa is { } maa)
        {
            Evaluate(maa, _policy.Maa);
        }

        return _findings;
    }

    private void Evaluate(SnpClaims snp, SnpPolicy? policy)
    {
        if (policy is null)
        {
            Check("snp", "demands", "none", ok: false);
            return;
        }

        var identified = false;
        Identify(policy.Measurements is not null, "snp.measurements", string.Join(", ", policy.Measurements ?? []), Hex(snp.Measurement), Holds(policy.Measurements, snp.Measurement));
        Identify(policy.IdKeys is not null, "snp.id_keys", string.Join(", ", (policy.IdKeys ?? []).Select(static key => $"{key.Digest} from {key.MinimumGuestSvn}")), $"{Hex(snp.IdKeyDigest)} with {snp.GuestSvn}",
            policy.IdKeys?.Any(key => Same(key.Digest, snp.IdKeyDigest) && snp.GuestSvn >= key.MinimumGuestSvn) == true);
        Identify(policy.Uvm is not null, "snp.uvm", $"{policy.Uvm?.Feed} from {policy.Uvm?.MinimumSvn}", snp.Uvm is { } uvm ? $"{uvm.Feed} with {uvm.Svn}" : "none",
            snp.Uvm is { } endorsed && policy.Uvm is { } wanted && endorsed.Feed == wanted.Feed && endorsed.Svn >= wanted.MinimumSvn);
        Identify(policy.GoogleLaunch is not null, "snp.google_launch", $"{policy.GoogleLaunch?.Vcpus} vCPUs from {policy.GoogleLaunch?.MinimumSvn}", claims.Launch is { } launch ? $"{launch.Vcpus} vCPUs with {launch.SnpSvn}" : "none",
            claims.Launch is { } google && policy.GoogleLaunch is { } demanded && google.Vcpus == demanded.Vcpus && google.SnpSvn >= demanded.MinimumSvn);
        Check("snp.identity", "identified", identified ? "identified" : "unknown", identified);

        Check("snp.products", string.Join(", ", policy.Products), snp.Product, policy.Products.Contains(snp.Product));
        AtLeast("snp.minimum_tcb", policy.MinimumTcb, snp.Product, snp.ReportedTcb);
        AtLeast("snp.minimum_committed_tcb", policy.MinimumCommittedTcb, snp.Product, snp.CommittedTcb);
        AtLeast("snp.minimum_launch_tcb", policy.MinimumLaunchTcb, snp.Product, snp.LaunchTcb);
        OneOf("snp.author_keys", policy.AuthorKeys, snp.AuthorKeyDigest);
        OneOf("snp.host_data", policy.HostData, snp.HostData);
        OneOf("snp.family_id", policy.FamilyId is null ? null : [policy.FamilyId], snp.FamilyId);
        OneOf("snp.image_id", policy.ImageId is null ? null : [policy.ImageId], snp.ImageId);
        if (policy.ChipIds is { } chips)
        {
            Check("snp.chip_ids", $"one of {chips.Count}", ClaimsSummary.ChipHash(snp.ChipId) ?? "masked", Holds(chips, snp.ChipId));
        }

        Check("snp.max_vmpl", Text(policy.MaxVmpl), Text(snp.Vmpl), snp.Vmpl <= policy.MaxVmpl);
        Check("snp.csp_ids", string.Join(", ", policy.CspIds ?? []), snp.CspId ?? "VCEK", snp.CspId is null || policy.CspIds?.Contains(snp.CspId) == true);
        Check("snp.allow_migration_agent", Text(policy.AllowMigrationAgent), Text(snp.MigrationAgentAllowed), policy.AllowMigrationAgent || !snp.MigrationAgentAllowed);
        Check("snp.require_crl", Text(policy.RequireCrl), Text(snp.RevocationChecked), snp.RevocationChecked || !policy.RequireCrl);
        var isMasked = !snp.ChipId.Span.ContainsAnyExcept((byte)0) && snp.SigningKey == "VCEK";
        Check("snp.allow_masked_chip_id", Text(policy.AllowMaskedChipId), Text(isMasked), policy.AllowMaskedChipId || !isMasked);
        if (policy.MinimumFirmware is { } firmware)
        {
            Check("snp.minimum_firmware", firmware, snp.Firmware.ToString(), snp.Firmware >= Version.Parse(firmware));
        }

        if (policy.MinimumGuestSvn is { } svn)
        {
            Check("snp.minimum_guest_svn", Text(svn), Text(snp.GuestSvn), snp.GuestSvn >= svn);
        }

        if (policy.GuestPolicy is { } guest)
        {
            Check("snp.guest_policy", Text(guest), Text(snp.GuestPolicy), snp.GuestPolicy == guest);
        }

        if (policy.Mitigations is { } bits)
        {
            var demandedBits = ulong.Parse(bits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            Check("snp.mitigations", bits, snp.CurrentMitigations.ToString("x16", CultureInfo.InvariantCulture), (snp.CurrentMitigations & demandedBits) == demandedBits);
        }

        void Identify(bool asked, string field, string expected, string found, bool ok)
        {
            if (asked)
            {
                _findings.Add(new Finding(field, expected, found, ok, named.Id));
                identified |= ok;
            }
        }
    }

    private void Evaluate(TdxClaims tdx, TdxPolicy? policy)
    {
        if (policy is null)
        {
            Check("tdx", "demands", "none", ok: false);
            return;
        }

        var isListed = Holds(policy.MrTds, tdx.MrTd);
        // Google's TDX endorsement has no SVN and no number of vCPUs: a policy that requires one is never satisfied.
        var isEndorsed = policy.GoogleLaunch is { MinimumSvn: 0, Vcpus: null } && claims.Launch is not null;
        Check("tdx.mr_tds", string.Join(", ", policy.MrTds ?? []) + (policy.GoogleLaunch is null ? string.Empty : " or Google's endorsement"), Hex(tdx.MrTd), isListed || isEndorsed);
        var status = tdx.TcbStatus?.ToString() ?? "unknown";
        Check("tdx.tcb_statuses", string.Join(", ", policy.TcbStatuses), status, policy.TcbStatuses.Contains(status));
        if (policy.AllowedAdvisories is { } advisories)
        {
            Check("tdx.allowed_advisories", string.Join(", ", advisories), string.Join(", ", tdx.Advisories), tdx.Advisories.All(advisories.Contains));
        }

        foreach (var (register, values) in policy.Rtmrs ?? new Dictionary<string, IReadOnlyList<string>>())
        {
            OneOf($"tdx.rtmrs.{register}", values, tdx.Rtmrs[register[0] - '0']);
        }

        OneOf("tdx.mr_seams", policy.MrSeams, tdx.MrSeam);
        OneOf("tdx.mr_config_ids", policy.MrConfigIds, tdx.MrConfigId);
        OneOf("tdx.mr_owners", policy.MrOwners, tdx.MrOwner);
        OneOf("tdx.mr_owner_configs", policy.MrOwnerConfigs, tdx.MrOwnerConfig);
        OneOf("tdx.xfam", policy.Xfam is null ? null : [policy.Xfam], tdx.Xfam);
        OneOf("tdx.td_attributes", policy.TdAttributes is null ? null : [policy.TdAttributes], tdx.TdAttributes);
        Least("tdx.minimum_tcb_evaluation_number", policy.MinimumTcbEvaluationNumber, tdx.TcbEvaluationNumber ?? 0);
        Least("tdx.minimum_qe_svn", policy.MinimumQeSvn, tdx.QeSvn);
        Least("tdx.minimum_pce_svn", policy.MinimumPceSvn, tdx.PceSvn);
        if (policy.MinimumTeeTcbSvn is { } svn)
        {
            var least = Convert.FromHexString(svn);
            Check("tdx.minimum_tee_tcb_svn", svn, Hex(tdx.TeeTcbSvn), Enumerable.Range(0, 16).All(i => tdx.TeeTcbSvn.Span[i] >= least[i]));
        }

        Check("tdx.require_sept_ve_disable", Text(policy.RequireSeptVeDisable), Text(tdx.SeptVeDisable), tdx.SeptVeDisable || !policy.RequireSeptVeDisable);
        Check("tdx.allow_migration", Text(policy.AllowMigration), Text(tdx.IsMigratable), policy.AllowMigration || !tdx.IsMigratable);
        Check("tdx.require_event_log", Text(policy.RequireEventLog), Text(tdx.EventLogReplayed), tdx.EventLogReplayed || !policy.RequireEventLog);
    }

    private void Evaluate(AzureClaims azure, AzurePolicy policy)
    {
        Check("azure.require_secure_boot", Text(policy.RequireSecureBoot), azure.SecureBoot is { } secure ? Text(secure) : "unknown", azure.SecureBoot == true || !policy.RequireSecureBoot);
        Check("azure.require_ak_certificate", Text(policy.RequireAkCertificate), Text(claims.Tpm is { CertificateChecked: true }), claims.Tpm is { CertificateChecked: true } || !policy.RequireAkCertificate);
        Check("azure.require_event_log", Text(policy.RequireEventLog), Text(claims.Tpm is { EventLogReplayed: true }), claims.Tpm is { EventLogReplayed: true } || !policy.RequireEventLog);
        foreach (var (bank, registers) in policy.Pcrs ?? new Dictionary<string, IReadOnlyDictionary<string, IReadOnlyList<string>>>())
        {
            foreach (var (register, values) in registers)
            {
                var found = claims.Tpm?.Pcrs.GetValueOrDefault(bank)?.GetValueOrDefault(int.Parse(register, CultureInfo.InvariantCulture));
                Check($"azure.pcrs.{bank}.{register}", string.Join(", ", values), found is null ? "not quoted" : Hex(found), found is not null && Holds(values, found));
            }
        }
    }

    private void Evaluate(MaaClaims maa, MaaPolicy? policy)
    {
        if (policy is null)
        {
            Check("maa", "demands", "none", ok: false);
            return;
        }

        Check("maa.issuers", string.Join(", ", policy.Issuers), maa.Issuer, policy.Issuers.Contains(maa.Issuer));
        Check("maa.tee", policy.Tee, maa.Tee, policy.Tee == maa.Tee);
        var isListed = maa.Measurement is { } measurement && Holds(policy.Measurements, measurement);
        var isSigned = maa.IdKeyDigest is { } digest && policy.IdKeys?.Any(key => Same(key.Digest, digest) && maa.GuestSvn >= key.MinimumGuestSvn) == true;
        Check("maa.measurements", string.Join(", ", (policy.Measurements ?? []).Concat((policy.IdKeys ?? []).Select(static key => key.Digest))), Hex(maa.Measurement), isListed || isSigned);
        Check("maa.require_compliance", Text(policy.RequireCompliance), Text(maa.IsCompliant), maa.IsCompliant || !policy.RequireCompliance);
        if (maa.Tee == "tdxvm")
        {
            Check("maa.tcb_statuses", string.Join(", ", policy.TcbStatuses), maa.TcbStatus ?? "unknown", maa.TcbStatus is { } status && policy.TcbStatuses.Contains(status));
        }
    }

    private void Check(string field, string expected, string found, bool ok) => _findings.Add(new Finding(field, expected, found, ok, named.Id));

    private void OneOf(string field, IReadOnlyList<string>? allowed, ReadOnlyMemory<byte> found)
    {
        if (allowed is not null)
        {
            Check(field, string.Join(", ", allowed), Hex(found), Holds(allowed, found));
        }
    }

    private void Least(string field, int? least, int found)
    {
        if (least is { } minimum)
        {
            Check(field, Text(minimum), Text(found), found >= minimum);
        }
    }

    /// <summary>If the policy sets minimums, a product without a minimum is rejected.</summary>
    private void AtLeast(string field, IReadOnlyDictionary<string, TcbPolicy>? minimums, string product, SnpTcb found)
    {
        if (minimums is null)
        {
            return;
        }

        var minimum = minimums.GetValueOrDefault(product);
        var least = minimum is null ? null : new SnpTcb(minimum.Fmc, minimum.Bootloader, minimum.Tee, minimum.Snp, minimum.Microcode);
        Check(field, least?.ToString() ?? $"nothing for {product}", found.ToString(), least is not null && found.AtLeast(least));
    }

    private static bool Holds(IReadOnlyList<string>? allowed, ReadOnlyMemory<byte> found) => allowed?.Any(value => Same(value, found)) == true;

    private static bool Same(string hex, ReadOnlyMemory<byte> bytes) => string.Equals(hex, Hex(bytes), StringComparison.OrdinalIgnoreCase);

    private static string Hex(ReadOnlyMemory<byte> bytes) => Convert.ToHexStringLower(bytes.Span);

    private static string Text<T>(T value) where T : IFormattable => value.ToString(null, CultureInfo.InvariantCulture);

    private static string Text(bool value) => value ? "true" : "false";
}
