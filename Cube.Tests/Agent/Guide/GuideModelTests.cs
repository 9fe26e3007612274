using Cube.Agent.Guide;

namespace Cube.Tests.Agent.Guide;

public sealed class GuideModelTests
{
    private static readonly GuideModel Model = new(
    [
        new Passage("a.md", "Ports", "The proxy listens on port 8080 and the agent on port 7001."),
        new Passage("b.md", "Roles", "A domain has the roles admin and member."),
    ]);

    [Theory]
    [InlineData("Which port has the proxy?", "8080")]
    [InlineData("what ROLES are there", "admin and member")]
    public void The_guide_answers_with_the_best_passage(string question, string expected) =>
        Assert.Contains(expected, Model.Answer(question), StringComparison.Ordinal);

    [Theory]
    [InlineData("")]
    [InlineData("quantum chromodynamics")]
    [InlineData("💥🧨")]
    public void The_guide_states_what_it_is_and_when_it_finds_nothing(string question)
    {
        var answer = Model.Answer(question);
        Assert.StartsWith("I am cube-guide, not a language model", answer, StringComparison.Ordinal);
        Assert.Contains("I found nothing", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Hello, world!")]
    [InlineData("  spaces \n\n and\tlines  ")]
    [InlineData("naïve 👩‍👩‍👧 日本語 x")]
    [InlineData("")]
    public void The_tokens_concatenate_to_the_text(string text)
    {
        var tokens = GuideModel.Tokenize(text).ToList();
        Assert.Equal(text, string.Concat(tokens));
        Assert.Equal(tokens.Count, GuideModel.CountTokens(text));
        Assert.DoesNotContain(tokens, static token => char.IsHighSurrogate(token[^1]));
    }

    [Fact]
    public void Markdown_is_split_at_headings_without_code()
    {
        var passages = DocumentationIndex.Cut("x.md", "# One\nfirst **bold**\n```\n# not a heading\ncode\n```\n## Two\n| a | b |\nsecond `name`\n").ToList();
        Assert.Equal(["One", "Two"], passages.Select(static passage => passage.Heading));
        Assert.Equal(["first bold", "second name"], passages.Select(static passage => passage.Text));
    }

    [Fact]
    public void The_guide_contains_the_documentation() => Assert.Contains(DocumentationIndex.Load(), static passage => passage.Document == "README.md");
}
