using Cube.Tests.Systems;

namespace Cube.Tests.Repository;

public sealed class TestLevelTests
{
    [Theory]
    [InlineData("quick", false)]
    [InlineData("full", true)]
    public void Known_levels_are_accepted(string name, bool isFull) => Assert.Equal(isFull, TestLevel.IsFullNamed(name));

    [Theory]
    [InlineData("Full")]
    [InlineData("1")]
    [InlineData("fast")]
    public void Unknown_levels_are_rejected(string name) => Assert.Throws<InvalidOperationException>(() => TestLevel.IsFullNamed(name));

    /// <summary>A run with an unknown level fails here even if no other test reads the level.</summary>
    [Fact]
    public void The_level_of_this_run_is_known() => Assert.Equal(TestLevel.IsFull ? 2 : 1, TestLevel.Pick(1, 2));
}
