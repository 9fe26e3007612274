using System.Runtime.CompilerServices;

namespace Cube.Tests.Systems;

/// <summary>A fact that runs at the full level only; see <see cref="TestLevel"/>.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FullFactAttribute : FactAttribute
{
    public FullFactAttribute([CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
        : base(sourceFilePath, sourceLineNumber) =>
        (Skip, SkipType, SkipUnless) = (TestLevel.Skipped, typeof(TestLevel), nameof(TestLevel.IsFull));
}

/// <summary>A theory that runs at the full level only; see <see cref="TestLevel"/>.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FullTheoryAttribute : TheoryAttribute
{
    public FullTheoryAttribute([CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
        : base(sourceFilePath, sourceLineNumber) =>
        (Skip, SkipType, SkipUnless) = (TestLevel.Skipped, typeof(TestLevel), nameof(TestLevel.IsFull));
}
