using System.Security.Cryptography;
using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Parsing;
using Cube.Attestation.Tpm;
using Cube.Attestation.Verdicts;

namespace Cube.Tests.Attestation.Tpm;

/// <summary>An event log must cover the firmware registers and contain no unknown register.</summary>
public sealed class EventLogTests
{
    private static readonly byte[] _digest = SHA256.HashData("an event"u8);
    private static readonly byte[] _extended = SHA256.HashData([.. new byte[32], .. _digest]);

    private static byte[] Log(params uint[] indexes)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        byte[] header = [.. "Spec ID Event03\0"u8, 0, 0, 0, 0, 0, 2, 0, 2, 1, 0, 0, 0, 0x0B, 0, 32, 0, 0];
        writer.Write(0u);
        writer.Write(3u);
        writer.Write(new byte[20]);
        writer.Write(header.Length);
        writer.Write(header);
        foreach (var index in indexes)
        {
            writer.Write(index);
            writer.Write(8u);
            writer.Write(1u);
            writer.Write((ushort)0x0B);
            writer.Write(_digest);
            writer.Write(0u);
        }

        return stream.ToArray();
    }

    /// <param name="logged">The registers of the events in the log.</param>
    /// <param name="extended">The registers that contain the digest of one event.</param>
    /// <param name="initial">Registers that still have their initial value.</param>
    private static void Check(uint[] logged, int[] extended, int[] initial)
    {
        var registers = new SortedDictionary<int, byte[]>(extended.ToDictionary(static index => index, static _ => _extended));
        initial.ToList().ForEach(index => registers[index] = new byte[32]);
        EventLog.Replay(Log(logged)).CheckAgainst(new Dictionary<string, SortedDictionary<int, byte[]>> { ["sha256"] = registers });
    }

    [Theory]
    [InlineData(new uint[] { 0, 7 }, new[] { 0, 7 }, new int[0])]
    [InlineData(new uint[] { 0 }, new[] { 0 }, new[] { 7 })]
    // Later software need not log the registers that it extends.
    [InlineData(new uint[] { 0 }, new[] { 0, 10 }, new int[0])]
    public void A_log_with_each_extended_firmware_register_is_accepted(uint[] logged, int[] extended, int[] initial) => Check(logged, extended, initial);

    [Theory]
    [InlineData(new uint[] { 0 }, new[] { 0, 7 }, new int[0])]
    [InlineData(new uint[] { 0, 9 }, new[] { 0 }, new[] { 9 })]
    public void A_log_that_does_not_explain_the_registers_is_rejected(uint[] logged, int[] extended, int[] initial) =>
        Assert.Equal(Codes.EventLogReplay, Assert.Throws<AppraisalException>(() => Check(logged, extended, initial)).Code);

    [Fact]
    public void An_event_of_an_unknown_register_is_rejected() =>
        Assert.Equal(Codes.EventLog, Assert.Throws<AppraisalException>(static () => EventLog.Replay(Log(0, 24))).Code);
}
