using Cube.Agent.Evidence;
using Cube.Attestation.Atls;

namespace Cube.Tests.Attestation.Atls;

public sealed class BinderTests
{
    // Known answers for a fixed key, nonce and channel binding.
    private const string Spki = "3059301306072a8648ce3d020106082a8648ce3d0301070342000439a1c552a619b3742afc5ffd4d9c3b8bc013ec204fddfbff6f3d76a2735a40ccc6a92d535baf0e26019de2495dbf3989c606e25c5114ea3e1f09ee0407011b31";
    private const string Nonce = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    [Theory]
    [InlineData("tls-exporter", "29b220d49cd6a1ed8396172f46fce4211ca0fa0d9926dee6710a289b6bd7a08e",
        "d5b9dfffc475501653a3c7160dccf49c2d2d496c80dab15fa389ebffc58df274640d2d65edbba550f0a622c6d3e83c9c8551b7f47e54ae659c919e2bd469aa49")]
    [InlineData("tls-unique-finished", "f5e6caac8e6c6e9e8394245ee608f31fdb37ef6d8e3d71da0f897a664770ebf111d8835c027e77b3aa940c9bef0fa064",
        "7522037b0bc910dca6db0cd7a0997ad02c4cbccbe72dc84e2472edd84803260873a950a18a0fb9cf12e274b7c0680c7455b22dc4d2569fdb0a9a6c2088b7e4fe")]
    public void The_binder_matches_known_answers(string type, string value, string expected) =>
        Assert.Equal(expected, Convert.ToHexStringLower(Binder.Compute(Convert.FromHexString(Spki), Convert.FromHexString(Nonce), type, Convert.FromHexString(value))));

    [Fact]
    public void Each_part_changes_the_binder_and_parts_cannot_be_confused()
    {
        byte[][] all =
        [
            Binder.Compute([1], [2], "a", [3]), Binder.Compute([9], [2], "a", [3]), Binder.Compute([1], [9], "a", [3]), Binder.Compute([1], [2], "b", [3]), Binder.Compute([1], [2], "a", [9]),
            Binder.Compute([1], [2, (byte)'a'], "", [3]), Binder.Compute([1], [2], "a\u0003", []), Binder.Compute([1], [], "a", [2, 3]),
        ];
        Assert.Equal(all.Length, all.Select(Convert.ToHexString).Distinct().Count());
    }

    [Fact]
    public void Report_data_of_a_callers_evidence_never_equals_a_binder()
    {
        var binder = Binder.Compute([1], new byte[32], "tls-unique-finished", new byte[48]);
        Assert.NotEqual(binder, AttestationEndpoint.ReportData(binder, []));
        Assert.NotEqual(AttestationEndpoint.ReportData([1], [2]), AttestationEndpoint.ReportData([1, 2], []));
    }
}
