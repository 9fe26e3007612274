using Cube.Attestation.Evidence;

namespace Cube.Attestation.Policy;

/// <summary>
/// Rejects a policy that no machine can satisfy when it is saved. Stored policies of this kind still load and reject every machine.
/// </summary>
internal static partial class PolicyRules
{
    private const ulong SnpReserved = 1UL << 17;
    private const ulong SnpMigrationAgent = 1UL << 18;
    private const ulong SnpDebug = 1UL << 19;
    private const ulong TdxDebug = 1;
    private const ulong TdxSeptVeDisable = 1UL << 28;
    private const ulong TdxMigratable = 1UL << 29;

    /// <exception cref="PolicyException">A field accepts no value, or two fields contradict each other.</exception>
    public static void RequireSatisfiable(AttestationPolicy policy)
    {
        Require(policy.Types.Count > 0, "types: the list is empty, so that no machine could satisfy the policy.");
        Require(policy.Bindings.Contains("connection"), "bindings: every machine binds its evidence to the connection; without 'connection' no machine could satisfy the policy.");
        if (policy.Snp is { } snp)
        {
            RequireSatisfiable(snp);
        }

        if (policy.Tdx is { } tdx)
        {
            RequireSatisfiable(tdx);
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
            RequireSatisfiable(maa, isUsed: policy.Types.Contains(EvidenceType.Maa));
        }
    }

    private static void RequireSatisfiable(SnpPolicy snp)
    {
        NotEmpty("snp.measurements", snp.Measurements);
        NotEmpty("snp.id_keys", snp.IdKeys);
        NotEmpty("snp.author_keys", snp.AuthorKeys);
        NotEmpty("snp.host_data", snp.HostData);
        NotEmpty("snp.chip_ids", snp.ChipIds);
        Require(snp.Uvm is null || !string.IsNullOrEmpty(snp.Uvm.Feed), "snp.uvm.feed: the value is empty.");
        foreach (var (field, minimums) in new[] { ("minimum_tcb", snp.MinimumTcb), ("minimum_committed_tcb", snp.MinimumCommittedTcb), ("minimum_launch_tcb", snp.MinimumLaunchTcb) })
        {
            Require(minimums is null || snp.Products.Any(minimums.ContainsKey), $"snp.{field}: it contains none of snp.products, and a product without a minimum is rejected.");
        }

        Require(snp.AllowMaskedChipId || snp.ChipIds is null || snp.ChipIds.Any(static id => id.AsSpan().ContainsAnyExcept('0')), "snp.chip_ids: only the masked id is allowed, and snp.allow_masked_chip_id is not set.");
        if (snp.GuestPolicy is { } guest)
        {
            Require((guest & SnpReserved) != 0, "snp.guest_policy: bit 17 is always set.");
            Require((guest & SnpDebug) == 0, "snp.guest_policy: a machine that allows debugging is always rejected.");
            Require((guest & SnpMigrationAgent) == 0 || snp.AllowMigrationAgent, "snp.guest_policy: the value allows a migration agent, and snp.allow_migration_agent is not set.");
        }
    }

    private static void RequireSatisfiable(TdxPolicy tdx)
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
        Require(tdx.MinimumQeSvn is null or <= ushort.MaxValue, "tdx.minimum_qe_svn: the maximum is 65535.");
        Require(tdx.MinimumPceSvn is null or <= ushort.MaxValue, "tdx.minimum_pce_svn: the maximum is 65535.");
        if (tdx.TdAttributes is { } text)
        {
            var attributes = BitConverter.ToUInt64(Convert.FromHexString(text));
            Require((attributes & TdxDebug) == 0, "tdx.td_attributes: a machine that allows debugging is always rejected.");
            Require((attributes & TdxSeptVeDisable) != 0 || !tdx.RequireSeptVeDisable, "tdx.td_attributes: SEPT_VE_DISABLE is not set, and tdx.require_sept_ve_disable is.");
            Require((attributes & TdxMigratable) == 0 || tdx.AllowMigration, "tdx.td_attributes: the value allows migration, and tdx.allow_migration is not set.");
        }
    }

    private static void RequireSatisfiable(MaaPolicy maa, bool isUsed)
    {
        NotEmpty("maa.measurements", maa.Measurements);
        NotEmpty("maa.id_keys", maa.IdKeys);
        Require(!isUsed || maa.Tee != "tdxvm" || Any(maa.Measurements), "maa: TDX has no id keys; give measurements.");
        Require(maa.Tee != "tdxvm" || maa.TcbStatuses.Count > 0, "maa.tcb_statuses: the list is empty.");
    }

    private static void NotEmpty<T>(string field, IReadOnlyList<T>? values) =>
        Require(values is null or { Count: > 0 }, $"{field}: the list is empty, so that no machine could satisfy it; omit the field to accept any value.");
}
