using Cube.Attestation.Appraisal;
using Cube.Attestation.Verdicts;

namespace Cube.Attestation.Cli;

internal static class ExitCodes
{
    public const int Valid = 0;
    public const int Invalid = 1;
    public const int Usage = 2;
    public const int Simulated = 3;
    public const int Indeterminate = 4;

    public static int Of(Outcome outcome) => outcome switch
    {
        Outcome.Valid => Valid,
        Outcome.Simulated => Simulated,
        Outcome.Indeterminate => Indeterminate,
        _ => Invalid,
    };
}
