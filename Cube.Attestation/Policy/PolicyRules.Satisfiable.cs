using Cube.Attestation.Evidence;

namespace Cube.Attestation.Policy;

/// <summary>
/// What a policy must not be when it is saved: one that no machine can satisfy. A proxy would open connections for it in vain. Stored ones still load; they refuse every machine.
/// </summary>
internal static partial class PolicyRules
{
    private const ulong SnpReserved = 1UL << 17;
    private const ulong SnpMigrationAgent = 1UL << 18;
    private const ulong SnpDebug = 1UL << 19;
    private const ulong TdxDebug = 1;
    private const ulong TdxSeptVeDisable = 1UL << 28;
    private const ulong TdxMigratable = 1UL << 29;

    /// <exception cref="PolicyException">A demand admits nothing, or contradicts another one.</exception>
    public static void CheckSatisfiable(AttestationPolicy policy)
    {
        Require(policy.Types.Count > 0, "types: there is none, so that no machine could satisfy the policy.");
        Require(policy.Bindings.Contains("connection"), "bindings: every machine binds its evidence to the connection; without 'connection' none could satisfy the policy.");
        if (policy.Snp is { } snp)
        {
            CheckSatisfiable(snp);
        }

        if (policy.Tdx is { } tdx)
        {
            CheckSatisfiable(tdx);
        }

        foreach (var (bank, registers) in policy.Azure?.Pcrs ?? new Dictionary<string, IReadOnlyDictionary<string, IReadOnlyList<string>>>())
        {
            foreach (var (register, values) in registers)
            {
                NotEmpty($"azure.pcrs.{bank}.{register}", values);
            }
        }

        if (policy.Maa is { } maa)
        {
            CheckSatisfiable(maa, isUsed: policy.Types.Contains(EvidenceType.Maa));
        }
    }

    private static void CheckSatisfiable(SnpPolicy snp)
    {
        NotEmpty("snp.measurements", snp.Measurements);
        NotEmpty("snp.id_keys", snp.IdKeys);
        NotEmpty("snp.author_keys", snp.AuthorKeys);
        NotEmpty("snp.host_data", snp.HostData);
        NotEmpty("snp.chip_ids", snp.ChipIds);
        Require(snp.Uvm is null || !string.IsNullOrEmpty(snp.Uvm.Feed), "snp.uvm.feed: it is empty.");
        foreach (var (field, minimums) in new[] { ("minimum_tcb", snp.MinimumTcb), ("minimum_committed_tcb", snp.MinimumCommittedTcb), ("minimum_launch_tcb", snp.MinimumLaunchTcb) })
        {
            Require(minimums is null || snp.Products.Any(minimums.ContainsKey), $"snp.{field}: it names none of snp.products, and a product without a minimum is refused.");
        }

        Require(snp.AllowMaskedChipId || snp.ChipIds is null || snp.ChipIds.Any(static id => id.AsSpan().ContainsAnyExcept('0')), "snp.chip_ids: only the masked id is allowed, and snp.allow_masked_chip_id is not set.");
        if (snp.GuestPolicy is { } guest)
        {
            Require((guest & SnpReserved) != 0, "snp.guest_policy: bit 17 is always set.");
            Require((guest & SnpDebug) == 0, "snp.guest_policy: a machine that allows debugging is always refused.");
            Require((guest & SnpMigrationAgent) == 0 || snp.AllowMigrationAgent, "snp.guest_policy: it demands a migration agent, and snp.allow_migration_agent is not set.");
        }
    }

    private static void CheckSatisfiable(TdxPolicy tdx)
    {
        NotEmpty("tdx.mr_tds", tdx.MrTds);
        NotEmpty("tdx.mr_seams", tdx.MrSeams);
        NotEmpty("tdx.mr_config_ids", tdx.MrConfigIds);
        NotEmpty("tdx.mr_owners", tdx.MrOwners);
        NotEmpty("tdx.mr_owner_configs", tdx.MrOwnerConfigs);
        foreach (var (register, values) in tdx.Rtmrs ?? new Dictionary<string, IReadOnlyList<string>>())
        {
            NotEmpty($"tdx.rtmrs.{register}", values);
        }

        Require(tdx.GoogleLaunch is null or { MinimumSvn: 0, Vcpus: null }, "tdx.google_launch: Google's endorsement of a TDX machine has neither a security version nor a number of vCPUs; leave out minimum_svn and vcpus.");
        Require(tdx.MinimumQeSvn is null or <= ushort.MaxValue, "tdx.minimum_qe_svn: it has 16 bits.");
        Require(tdx.MinimumPceSvn is null or <= ushort.MaxValue, "tdx.minimum_pce_svn: it has 16 bits.");
        if (tdx.TdAttributes is { } text)
        {
            var attributes = BitConverter.ToUInt64(Convert.FromHexString(text));
            Require((attributes & TdxDebug) == 0, "tdx.td_attributes: a machine that allows debugging is always refused.");
            Require((attributes & TdxSeptVeDisable) != 0 || !tdx.RequireSeptVeDisable, "tdx.td_attributes: SEPT_VE_DISABLE is not set, and tdx.require_sept_ve_disable is.");
            Require((attributes & TdxMigratable) == 0 || tdx.AllowMigration, "tdx.td_attributes: it demands a machine that can migrate, and tdx.allow_migration is not set.");
        }
    }

    private static void CheckSatisfiable(MaaPolicy maa, bool isUsed)
    {
        NotEmpty("maa.measurements", maa.Measurements);
        NotEmpty("maa.id_keys", maa.IdKeys);
        Require(!isUsed || maa.Tee != "tdxvm" || Any(maa.Measurements), "maa: a TDX machine has no id key; give measurements.");
        Require(maa.Tee != "tdxvm" || maa.TcbStatuses.Count > 0, "maa.tcb_statuses: it is empty.");
    }

    private static void NotEmpty<T>(string field, IReadOnlyList<T>? values) =>
        Require(values is null or { Count: > 0 }, $"{field}: it is empty, so that no machine could satisfy it; leave it out to demand nothing.");
}
