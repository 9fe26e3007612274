namespace Cube.Attestation.Tdx;

/// <summary>The TCB status values of Intel's TCB info.</summary>
public enum TcbStatus
{
    UpToDate,
    SWHardeningNeeded,
    ConfigurationNeeded,
    ConfigurationAndSWHardeningNeeded,
    OutOfDate,
    OutOfDateConfigurationNeeded,

    /// <summary>The platform is up to date, but the TD was launched before the update.</summary>
    TDRelaunchAdvised,

    TDRelaunchAdvisedConfigurationNeeded,
    Revoked,
}

internal static class TcbStatusExtensions
{
    /// <summary>Combines the status of the platform with that of the TDX module or quoting enclave, as Intel's quote verification library does.</summary>
    public static TcbStatus Converge(this TcbStatus platform, TcbStatus part) => (platform, part) switch
    {
        (_, TcbStatus.Revoked) => TcbStatus.Revoked,
        (TcbStatus.UpToDate or TcbStatus.SWHardeningNeeded, TcbStatus.OutOfDate) => TcbStatus.OutOfDate,
        (TcbStatus.ConfigurationNeeded or TcbStatus.ConfigurationAndSWHardeningNeeded, TcbStatus.OutOfDate) => TcbStatus.OutOfDateConfigurationNeeded,
        _ => platform,
    };
}
