using Cube.Attestation.Evidence;

namespace Cube.Attestation.Policy;

/// <summary>Validates the values of a policy.</summary>
internal static partial class PolicyRules
{
    public static void Validate(AttestationPolicy policy, bool allowSimulated)
    {
        foreach (var type in policy.Types)
        {
            Require(EvidenceType.Confidential.Contains(type) || type == EvidenceType.Simulated, $"types: '{type}' is not a confidential evidence type.");
            Require(type != EvidenceType.Simulated || allowSimulated, "types: simulated evidence is allowed in development only.");
            Require(type is not (EvidenceType.SevSnp or EvidenceType.AzureSnp) || policy.Snp is { } snp && (Any(snp.Measurements) || Any(snp.IdKeys) || snp.Uvm is not null || snp.GoogleLaunch is not null),
                $"snp: no field identifies the code of '{type}'; give measurements, id_keys, uvm or google_launch.");
            Require(type is not (EvidenceType.Tdx or EvidenceType.AzureTdx) || policy.Tdx is { } tdx && (Any(tdx.MrTds) || tdx.GoogleLaunch is not null),
                $"tdx: no field identifies the code of '{type}'; give mr_tds or google_launch.");
            Require(type != EvidenceType.Maa || policy.Maa is { } maa && maa.Issuers.Count > 0 && (Any(maa.Measurements) || Any(maa.IdKeys)),
                "maa: give issuers, and measurements or id_keys.");
        }

        Require(policy.Types.Distinct().Count() == policy.Types.Count, "types: the list contains a type twice.");
        Require(policy.LeaseSeconds is >= 60 and <= 900, "lease_seconds: 60 to 900.");
        Require(policy.Bindings.Count > 0 && policy.Bindings.All(static binding => binding is "connection" or "lease-key" or "certificate"), "bindings: connection, lease-key, certificate.");
        if (policy.Snp is { } snpPolicy)
        {
            Check(snpPolicy);
        }

        if (policy.Tdx is { } tdxPolicy)
        {
            Check(tdxPolicy);
        }

        Check(policy.Azure);
        Check(policy.Maa);
    }

    private static void Check(SnpPolicy snp)
    {
        Hex("snp.measurements", snp.Measurements, 48);
        Hex("snp.id_keys", snp.IdKeys?.Select(static key => key.Digest), 48);
        Hex("snp.author_keys", snp.AuthorKeys, 48);
        Hex("snp.host_data", snp.HostData, 32);
        Hex("snp.chip_ids", snp.ChipIds, 64);
        Hex("snp.family_id", One(snp.FamilyId), 16);
        Hex("snp.image_id", One(snp.ImageId), 16);
        Hex("snp.mitigations", One(snp.Mitigations), 8);
        Require(snp.MaxVmpl <= 3, "snp.max_vmpl: 0 to 3.");
        Require(snp.Products.Count > 0 && snp.Products.All(IsProduct), "snp.products: Milan, Genoa, Turin.");
        Require(new[] { snp.MinimumTcb, snp.MinimumCommittedTcb, snp.MinimumLaunchTcb }.All(static by => by is null || by.Keys.All(IsProduct)), "snp.minimum_tcb, snp.minimum_committed_tcb and snp.minimum_launch_tcb: the member names must be products.");
        Require(snp.MinimumFirmware is null || System.Version.TryParse(snp.MinimumFirmware, out _), "snp.minimum_firmware: major.minor.build.");
        Require(snp.GoogleLaunch is null || snp.GoogleLaunch.Vcpus is > 0, "snp.google_launch: give vcpus.");
    }

    private static void Check(TdxPolicy tdx)
    {
        Hex("tdx.mr_tds", tdx.MrTds, 48);
        Hex("tdx.mr_seams", tdx.MrSeams, 48);
        Hex("tdx.mr_config_ids", tdx.MrConfigIds, 48);
        Hex("tdx.mr_owners", tdx.MrOwners, 48);
        Hex("tdx.mr_owner_configs", tdx.MrOwnerConfigs, 48);
        Hex("tdx.xfam", One(tdx.Xfam), 8);
        Hex("tdx.td_attributes", One(tdx.TdAttributes), 8);
        Hex("tdx.minimum_tee_tcb_svn", One(tdx.MinimumTeeTcbSvn), 16);
        foreach (var (register, values) in tdx.Rtmrs ?? new Dictionary<string, IReadOnlyList<string>>())
        {
            Require(register is "0" or "1" or "2" or "3", "tdx.rtmrs: 0 to 3.");
            Hex("tdx.rtmrs", values, 48);
        }

        Require(tdx.TcbStatuses.Count > 0 && tdx.TcbStatuses.All(static status => Enum.TryParse<Tdx.TcbStatus>(status, out var known) && known != Tdx.TcbStatus.Revoked),
            "tdx.tcb_statuses: use Intel's TCB statuses except Revoked.");
    }

    private static void Check(AzurePolicy? azure)
    {
        foreach (var (bank, registers) in azure?.Pcrs ?? new Dictionary<string, IReadOnlyDictionary<string, IReadOnlyList<string>>>())
        {
            Require(bank is "sha256" or "sha384" or "sha512", "azure.pcrs: the banks are sha256, sha384 and sha512.");
            foreach (var (register, values) in registers)
            {
                Require(int.TryParse(register, out var index) && index is >= 0 and < 24, "azure.pcrs: the registers are 0 to 23.");
                Hex("azure.pcrs", values, Tpm.TpmAlgorithm.DigestSize(bank));
            }
        }
    }

    private static void Check(MaaPolicy? maa)
    {
        if (maa is null)
        {
            return;
        }

        Require(maa.Issuers.All(static issuer => Uri.TryCreate(issuer, UriKind.Absolute, out var uri) && uri.Scheme == "https" && !issuer.EndsWith('/')), "maa.issuers: https addresses without a trailing slash.");
        Require(maa.Tee is "sevsnpvm" or "tdxvm", "maa.tee: sevsnpvm or tdxvm.");
        Require(maa.MaxAgeSeconds is >= 1 and <= 28_800, "maa.max_age_seconds: 1 to 28800.");
        Hex("maa.measurements", maa.Measurements, 48);
        Hex("maa.id_keys", maa.IdKeys?.Select(static key => key.Digest), 48);
    }

    private static bool IsProduct(string name) => name is "Milan" or "Genoa" or "Turin";

    private static bool Any<T>(IReadOnlyList<T>? list) => list is { Count: > 0 };

    private static IEnumerable<string>? One(string? value) => value is null ? null : [value];

    private static void Hex(string field, IEnumerable<string?>? values, int bytes) =>
        Require(values is null || values.All(value => value?.Length == 2 * bytes && value.All(static c => char.IsAsciiHexDigit(c))), $"{field}: hex of {bytes} bytes each.");

    private static void Require(bool condition, string problem)
    {
        if (!condition)
        {
            throw new PolicyException(problem);
        }
    }
}
